"""Facts are other ones where answers may be, and nowhere else."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from toplu.batch.provenance.model_facts import FactReader, ModelFacts
from toplu.settings.model import ModelSettings
from toplu.settings.server import PriceSettings, Settings


async def read_facts(model: ModelSettings, settings: Settings) -> ModelFacts | None:
    return await FactReader(model, settings).read()


@pytest.fixture
def model(tmp_path: Path) -> ModelSettings:
    (tmp_path / "model").write_bytes(b"weights")
    (tmp_path / "template").write_bytes(b"{{ messages }}")
    return ModelSettings(
        name="m",
        engine="echo",
        source=f"path:{tmp_path / 'model'}",
        chat_template=str(tmp_path / "template"),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0.5},
        {"context_tokens": 100},
        {"output_tokens_max": 100},
        {"engine": "llama_cpp"},
    ],
)
async def test_a_setting_that_has_an_effect_counts(
    model: ModelSettings, changes: dict[str, Any]
) -> None:
    settings = Settings()
    changed = replace(model, **changes)
    if changed.engine == "llama_cpp":
        changed = replace(changed, source=None)
    assert await read_facts(changed, settings) != await read_facts(model, settings)


@pytest.mark.parametrize(
    "changes",
    [{"lanes": 9}, {"threads": 1}, {"aliases": ("x",)}, {"price": PriceSettings(input="1")}],
)
async def test_one_that_has_none_does_not(model: ModelSettings, changes: dict[str, Any]) -> None:
    settings = Settings()
    changed = await read_facts(replace(model, **changes), settings)
    assert changed is not None
    assert changed == await read_facts(model, settings)


async def test_the_reading_of_documents_counts(model: ModelSettings) -> None:
    facts = await read_facts(model, Settings())
    assert facts != await read_facts(model, Settings(ocr="tesseract"))
    assert facts != await read_facts(model, Settings(image_side_max=100))
    assert facts == await read_facts(model, Settings(port=1))


async def test_the_bytes_of_files_count_and_not_their_names(
    model: ModelSettings, tmp_path: Path
) -> None:
    settings = Settings()
    facts = await read_facts(model, settings)
    assert facts is not None
    assert facts.model_sha256 is not None
    assert facts.template_sha256 is not None
    for name, field in (("model", "model_sha256"), ("template", "template_sha256")):
        (tmp_path / name).write_bytes(b"other")
        changed = await read_facts(model, settings)
        assert changed is not None
        assert getattr(changed, field) != getattr(facts, field)
        facts = changed


async def test_a_folder_of_weights_has_one_sum(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    (folder / "more").mkdir(parents=True)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "more" / "weights").write_bytes(b"1")
    model = ModelSettings(name="m", engine="vllm", source=f"path:{folder}")

    async def facts() -> ModelFacts:
        found = await read_facts(model, Settings())
        assert found is not None
        return found

    before = await facts()
    assert before.model_sha256 is not None
    (folder / "more" / "weights").write_bytes(b"22")
    assert (await facts()).model_sha256 != before.model_sha256


async def test_a_model_of_other_servers_has_no_files() -> None:
    model = ModelSettings(name="m", engine="echo")
    facts = await read_facts(model, Settings())
    assert facts is not None
    assert (facts.model_sha256, facts.template_sha256) == (None, None)


async def test_a_file_that_is_still_to_be_fetched_has_no_facts_yet(tmp_path: Path) -> None:
    model = ModelSettings(name="m", engine="echo", source="hub:owner/repository/model")
    settings = Settings(model_dir=tmp_path)
    assert await read_facts(model, settings) is None
    file = tmp_path / "owner--repository" / "model"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    assert await read_facts(model, settings) is not None
