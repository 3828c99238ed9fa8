from pathlib import Path, PurePosixPath

import pytest

from toplu.errors import ConfigurationError
from toplu.models.sources import HubSource, PathSource, Source, WheelSource, locate, read_source
from toplu.settings.server import ModelSettings

WHEEL = "wheel:toplu-test-model==1.0/toplu_test_model/tiny.gguf"


def a_model(source: str | None) -> ModelSettings:
    return ModelSettings(name="m", engine="llama_cpp", source=source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("path:/models/a b.gguf", PathSource(Path("/models/a b.gguf"))),
        (
            WHEEL,
            WheelSource("toplu-test-model", "1.0", PurePosixPath("toplu_test_model/tiny.gguf")),
        ),
        ("hub:o/r/q/f.gguf", HubSource("o/r", PurePosixPath("q/f.gguf"))),
    ],
)
def test_a_source_is_read(source: str, expected: Source):
    assert read_source(a_model(source)) == expected


@pytest.mark.parametrize(
    "source",
    [
        None,
        "",
        "path:",
        "file.gguf",
        "wheel:a/b",
        "wheel:a==1",
        "wheel:a==1/../b",
        "hub:o/r",
        "x:y",
    ],
)
def test_a_source_that_cannot_be_read_is_named(source: str | None):
    with pytest.raises(ConfigurationError, match="models: m: source must be"):
        read_source(a_model(source))


def test_a_model_without_a_file_has_none(tmp_path: Path):
    assert locate(a_model(None), tmp_path) is None
