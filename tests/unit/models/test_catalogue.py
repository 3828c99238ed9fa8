from typing import Any

import pytest

from toplu.errors import ConfigurationError
from toplu.models.catalogue import Catalogue
from toplu.settings.server import DEFAULT_EMBEDDER, DEFAULT_MODEL, Kind, ModelSettings


def a_model(name: str, *aliases: str) -> ModelSettings:
    return ModelSettings(name=name, aliases=aliases, engine="echo")


def answering(name: str, *models: ModelSettings) -> str | None:
    model = Catalogue(models).resolve(name)
    return None if model is None else model.name


def test_an_exact_name_beats_an_alias_and_a_glob():
    models = (a_model("x", "y*"), a_model("yes"), a_model("z", "yellow"))
    assert answering("yes", *models) == "yes"
    assert answering("yellow", *models) == "z"
    assert answering("yonder", *models) == "x"


def test_the_longest_pattern_wins():
    models = (a_model("any", "gemini-*"), a_model("pro", "gemini-*-pro"))
    assert answering("gemini-3-pro", *models) == "pro"
    assert answering("gemini-3-flash", *models) == "any"


def test_of_equal_patterns_the_model_listed_first_wins():
    assert answering("gemini-3", a_model("b", "gemini-*"), a_model("a", "gemini-*")) == "b"


def test_an_unknown_name_has_no_model():
    assert answering("gpt-5", a_model("x", "gemini-*")) is None
    assert answering("GEMINI-2", a_model("x", "gemini-*")) is None


def test_an_exclusion_takes_names_out_of_the_globs_of_its_own_model_only():
    models = (a_model("text", "gemini-*", "!*embedding*"), a_model("other", "g*"))
    assert answering("gemini-embedding-001", *models) == "other"
    assert answering("gemini-embedding-001", models[0]) is None


def test_an_exclusion_does_not_take_a_literal_name_away():
    assert answering("my-embedding", a_model("x", "my-embedding", "!*embedding*")) == "x"


@pytest.mark.parametrize(
    "name",
    [
        "gemini-embedding-001",
        "gemini-2.5-flash-image",
        "gemini-3-pro-image-preview",
        "gemini-2.5-flash-preview-tts",
        "gemini-live-2.5-flash-preview",
        "gemini-2.5-flash-native-audio-latest",
        "text-embedding-004",
    ],
)
def test_the_default_model_leaves_what_is_not_text_alone(name: str):
    assert answering(name, DEFAULT_MODEL) is None


@pytest.mark.parametrize(
    "name", ["gemini-2.5-flash", "gemini-3-pro-preview", "gemini-flash-latest"]
)
def test_the_default_model_answers_for_text_models(name: str):
    assert answering(name, DEFAULT_MODEL) == DEFAULT_MODEL.name


@pytest.mark.parametrize(
    "name",
    ["gemini-embedding-001", "gemini-embedding-2", "text-embedding-004", "embedding-001"],
)
def test_the_default_embedder_answers_for_embedding_models(name: str):
    assert answering(name, DEFAULT_MODEL, DEFAULT_EMBEDDER) == DEFAULT_EMBEDDER.name


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        ("llama_cpp", Kind.GENERATION),
        ("echo", Kind.GENERATION),
        ("onnx_embedder", Kind.EMBEDDING),
        ("echo_embedder", Kind.EMBEDDING),
    ],
)
def test_the_engine_tells_what_a_model_makes(engine: Any, kind: Kind):
    assert ModelSettings(name="m", engine=engine).kind is kind


def test_the_names_are_literal_and_the_catalogue_name_comes_first():
    catalogue = Catalogue([a_model("m", "b", "a", "g-*", "!x"), a_model("c", "z")])
    assert [name for name, _ in catalogue.names()] == ["c", "z", "m", "a", "b"]
    assert all(catalogue.resolve(name) is model for name, model in catalogue.names())


def test_a_name_of_two_models_is_refused():
    with pytest.raises(ConfigurationError, match="`a` is the name of two models"):
        Catalogue([a_model("x", "a"), a_model("y", "a")])
