import io
import math

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from toplu.engines.onnx.model_file import (
    FLOAT,
    INT64,
    graph,
    node,
    tensor,
    value_info,
    write_model,
)

WEIGHTS = np.array([[1.5, -2.0, math.pi], [0.0, 1e-9, 3e38]], np.float32)
INTEGERS = np.array([-1, 0, 127, 128, 2**40], np.int64)


def written(*, kind: str = "Relu") -> bytes:
    pieces = graph(
        "a graph",
        nodes=[
            node("Gather", ["weights", "ids"], "rows", {"axis": 0}),
            node("Transpose", ["rows"], "turned", {"perm": (0, 2, 1)}),
            node("LeakyRelu", ["turned"], "bent", {"alpha": 0.25}),
            node(kind, ["bent"], "out", {}),
        ],
        constants=[tensor("weights", WEIGHTS), tensor("integers", INTEGERS)],
        inputs=[value_info("ids", INT64, ("texts", "tokens"))],
        outputs=[value_info("out", FLOAT, ("texts", 3, "tokens"))],
    )
    file = io.BytesIO()
    write_model(file, pieces, ir_version=9, opset=20)
    return file.getvalue()


def test_a_model_is_what_the_formats_own_package_reads_and_approves() -> None:
    model = onnx.load_from_string(written())
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == (9, 20)
    weights, integers = map(numpy_helper.to_array, model.graph.initializer)
    np.testing.assert_array_equal(weights, WEIGHTS)
    np.testing.assert_array_equal(integers, INTEGERS)
    gather, transpose, leaky, _ = model.graph.node
    assert list(gather.input) == ["weights", "ids"]
    assert gather.attribute[0].i == 0
    assert list(transpose.attribute[0].ints) == [0, 2, 1]
    assert leaky.attribute[0].f == 0.25
    sizes = model.graph.output[0].type.tensor_type.shape.dim
    assert [size.dim_param or size.dim_value for size in sizes] == ["texts", 3, "tokens"]


def test_an_array_of_another_kind_is_not_written() -> None:
    with pytest.raises(KeyError):
        tensor("x", np.zeros(3, np.float64))


def test_the_checker_would_find_an_operator_that_is_none() -> None:
    with pytest.raises(onnx.checker.ValidationError):
        onnx.checker.check_model(onnx.load_from_string(written(kind="Nothing")))
