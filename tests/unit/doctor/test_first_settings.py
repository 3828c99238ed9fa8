"""The file that `toplu init` writes is one that the settings take."""

from pathlib import Path

import pytest

from toplu.doctor.first_settings import write_settings
from toplu.doctor.found_models import FoundModel, slug_of
from toplu.doctor.hardware import Hardware
from toplu.settings.load import load
from toplu.settings.model import DEFAULT_EMBEDDER, DEFAULT_MODEL, Kind
from toplu.settings.server import Settings

HARDWARE = Hardware(cores=8, memory_gib=31.9, graphics=["NVIDIA H100 PCIe, 80 GiB"])


def served(name: str, software: str = "vLLM") -> FoundModel:
    return FoundModel(
        name=slug_of(name),
        server="http://127.0.0.1:8000/v1",
        software=software,
        served_name=name,
    )


def loaded(folder: Path, found: list[FoundModel]) -> Settings:
    path = folder / "toplu.toml"
    path.write_text(write_settings(found, HARDWARE, name=path.name), encoding="utf-8")
    return load(path, environment={})


def test_where_nothing_is_found_the_models_are_the_default_ones(tmp_path: Path) -> None:
    models = {model.name: model for model in loaded(tmp_path, []).models}
    for default in (DEFAULT_MODEL, DEFAULT_EMBEDDER):
        model = models[default.name]
        assert (model.aliases, model.source, model.sha256) == (
            default.aliases,
            default.source,
            default.sha256,
        )
        assert (model.temperature, model.lanes, model.companions) == (
            default.temperature,
            default.lanes,
            default.companions,
        )


def test_the_first_model_of_a_kind_answers_to_every_name_of_it(tmp_path: Path) -> None:
    file = FoundModel(
        name="qwen3-8b-q4_k_m",
        server="",
        path=tmp_path / 'Qwen3 "8B" ü.gguf',
        context_tokens=32_768,
    )
    found = [file, served("Qwen/Qwen3-32B"), served("nomic-embed-text:latest", "Ollama")]
    first, second, embedder = loaded(tmp_path, found).models
    assert (first.name, first.aliases) == ("qwen3-8b-q4_k_m", DEFAULT_MODEL.aliases)
    assert first.source == f"path:{file.path}"
    assert (first.context_tokens, first.output_tokens_max) == (32_768, 4096)
    assert (second.name, second.aliases) == ("qwen-qwen3-32b", ())
    assert second.servers[0].model == "Qwen/Qwen3-32B"
    assert (embedder.kind, embedder.aliases) == (Kind.EMBEDDING, DEFAULT_EMBEDDER.aliases)


def test_models_of_one_name_have_names_of_their_own(tmp_path: Path) -> None:
    models = loaded(tmp_path, [served("Llama 3"), served("llama-3"), served("llama_3")]).models
    assert [model.name for model in models][:3] == ["llama-3", "llama-3-2", "llama_3"]


def test_the_hardware_is_told_to_people() -> None:
    text = write_settings([], HARDWARE, name="toplu.toml")
    assert "# Found here: 8 cores, 32 GiB of memory, NVIDIA H100 PCIe, 80 GiB." in text


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Qwen/Qwen3-8B", "qwen-qwen3-8b"), ("???", "model"), ("a" * 100, "a" * 63), ("x.", "x")],
)
def test_any_name_becomes_one_of_a_catalogue(name: str, slug: str) -> None:
    assert slug_of(name) == slug
