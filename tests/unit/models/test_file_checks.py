import hashlib
from pathlib import Path

import pytest

from toplu.errors import ConfigurationError
from toplu.models.file_checks import check_files
from toplu.settings.server import ModelSettings

WEIGHTS = b"GGUF weights"
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.gguf"
    path.write_bytes(WEIGHTS)
    return path


def a_model(**fields) -> ModelSettings:
    return ModelSettings(name="m", engine="llama_cpp", **fields)


async def test_files_that_are_right_or_still_to_be_fetched_are_no_mistake(
    file: Path, tmp_path: Path
):
    models = [
        a_model(source=f"path:{file}", sha256=SHA256, projector=f"path:{file}"),
        a_model(source="wheel:toplu-no-such==1/x.gguf", sha256=SHA256),
        a_model(source="hub:o/r/x.gguf"),
        ModelSettings(name="e", engine="echo"),
    ]
    await check_files(models, tmp_path)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"source": "path:/no/such.gguf"}, "models: m: there is no file /no/such.gguf"),
        ({"source": "path:FILE", "sha256": "0" * 64}, f"SHA-256 is {SHA256}, expected 0000"),
        ({"source": "path:FILE", "projector": "path:/no/p.gguf"}, "there is no file /no/p.gguf"),
        (
            {"source": "path:FILE", "projector": "path:FILE", "projector_sha256": "1" * 64},
            "expected 1111",
        ),
        (
            {"source": "path:FILE", "companions": {"words.json": SHA256}},
            "there is no file FOLDER/words.json",
        ),
        ({"source": "path:FILE", "chat_template": "/no/t.jinja"}, "no file /no/t.jinja"),
        ({"source": "somewhere"}, "source must be path:FILE"),
    ],
)
async def test_a_file_that_cannot_be_the_one_meant_is_named(
    file: Path, tmp_path: Path, fields: dict, expected: str
):
    fields = {
        name: value.replace("FILE", str(file)) if isinstance(value, str) else value
        for name, value in fields.items()
    }
    with pytest.raises(ConfigurationError) as caught:
        await check_files([a_model(**fields)], tmp_path)
    assert expected.replace("FOLDER", str(file.parent)) in str(caught.value)


async def test_a_file_of_another_format_is_named(file: Path, tmp_path: Path):
    file.write_bytes(b"# toplu")
    with pytest.raises(ConfigurationError, match=r"m: .*own\.gguf is no GGUF file"):
        await check_files([a_model(source=f"path:{file}")], tmp_path)


async def test_a_folder_that_cannot_take_a_model_is_named(file: Path):
    with pytest.raises(ConfigurationError, match=r"model_dir .* cannot be made"):
        await check_files([a_model(source="hub:o/r/x.gguf")], file / "models")
