from pathlib import Path

import pytest

from toplu.errors import ConfigurationError
from toplu.settings.load import load

KEYED = """
[[models]]
name = "remote"
engine = "openai_server"
servers = [{ url = "http://gpu/v1", key_env = "TOPLU_GPU_KEY" }]
"""


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("TOPLU_PROT", "TOPLU_PROT: there is no such setting; did you mean `TOPLU_PORT`?"),
        ("TOPLU_XYZ", "TOPLU_XYZ: there is no such setting"),
        ("TOPLU_MODELS", "TOPLU_MODELS: models stands in a file, see --config"),
        ("TOPLU_GPU_KEY", "TOPLU_GPU_KEY: there is no such setting"),
    ],
)
def test_a_variable_that_is_no_setting_is_refused(variable: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(environment={variable: "1"})
    assert str(caught.value).startswith(expected)


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    config = tmp_path / "toplu.toml"
    config.write_text(KEYED)
    environment = {
        "TOPLU_GPU_KEY": "secret",
        "TOPLU_URL": "http://127.0.0.1:8765",
        "TOPLU_KEY": "of a client",
        "TOPLU_DRAIN_SECONDS": "7",
        # As Kubernetes sets them beside services that are called toplu and toplu-api.
        "TOPLU_SERVICE_HOST": "10.0.0.1",
        "TOPLU_SERVICE_PORT": "8765",
        "TOPLU_SERVICE_PORT_HTTP": "8765",
        "TOPLU_PORT": "tcp://10.0.0.1:8765",
        "TOPLU_PORT_8765_TCP": "tcp://10.0.0.1:8765",
        "TOPLU_PORT_8765_TCP_PROTO": "tcp",
        "TOPLU_API_SERVICE_HOST": "10.0.0.2",
        "TOPLU_API_PORT": "tcp://10.0.0.2:80",
        "TOPLU_API_PORT_80_TCP_PORT": "80",
    }
    settings = load(config, environment)
    assert (settings.port, settings.drain_seconds) == (8765, 7.0)
