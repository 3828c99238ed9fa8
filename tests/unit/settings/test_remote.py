from pathlib import Path

import pytest

from toplu.errors import ConfigurationError
from toplu.settings.load import load
from toplu.settings.remote import Secret, ServerSettings
from toplu.settings.server import Kind

URL = "https://llm.example.com/v1"


def loaded(tmp_path: Path, servers: str, engine: str = "openai_server"):
    config = tmp_path / "toplu.toml"
    config.write_text(f'[[models]]\nname = "m"\nengine = "{engine}"\nservers = [{servers}]\n')
    return load(config, {})


def test_servers_are_read(tmp_path: Path):
    (model,) = loaded(tmp_path, f'{{ url = "{URL}", key_file = "/k", weight = 2 }}').models
    assert model.servers == (ServerSettings(url=URL, key_file="/k", weight=2.0),)


@pytest.mark.parametrize(
    ("servers", "told"),
    [
        ("", "needs one server at least"),
        ('{ url = "ftp://a/v1" }', "no http"),
        ('{ url = "a.example.com" }', "no http"),
        ('{ url = "http://a:0/v1" }', "no http"),
        ('{ url = "http://a:99999/v1" }', "is none"),
        ('{ url = "http://user:secret@a/v1" }', "in it: name them with key_env or key_file"),
        ('{ url = "http://a/v1?key=secret" }', "query"),
        ('{ url = "http://a", key_env = "A", key_file = "b" }', "both key_env and key_file"),
        ('{ url = "http://a" }, { url = "http://a" }', "same url"),
        ('{ url = "http://a", key = "secret" }', "key"),
    ],
)
def test_a_wrong_server_is_refused_without_its_secrets(tmp_path: Path, servers: str, told: str):
    with pytest.raises(ConfigurationError, match=told) as refusal:
        loaded(tmp_path, servers)
    assert "secret" not in str(refusal.value)


def test_servers_of_an_engine_that_has_none_are_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="has no servers"):
        loaded(tmp_path, f'{{ url = "{URL}" }}', engine="echo")


def test_servers_make_whatever_is_set_and_engines_of_our_own_what_they_make(tmp_path: Path):
    config = tmp_path / "toplu.toml"
    table = f'[[models]]\nname = "m"\nkind = "embedding"\nservers = [{{ url = "{URL}" }}]\n'
    config.write_text(f'{table}engine = "openai_server"\n')
    (model,) = load(config, {}).models
    assert model.kind is Kind.EMBEDDING
    config.write_text('[[models]]\nname = "m"\nkind = "embedding"\nengine = "llama_cpp"\n')
    with pytest.raises(ConfigurationError, match="llama_cpp is of kind generation"):
        load(config, {})


def test_a_key_is_found_where_the_settings_have_it(tmp_path: Path):
    key_file = tmp_path / "key"
    key_file.write_text("from-file\n")
    from_file = ServerSettings(url=URL, key_file=str(key_file)).read_key()
    from_env = ServerSettings(url=URL, key_env="LLM_KEY").read_key({"LLM_KEY": "from-env"})
    assert [key and key.reveal() for key in (from_file, from_env)] == ["from-file", "from-env"]
    assert ServerSettings(url=URL).read_key() is None


@pytest.mark.parametrize("key", ["", " \n", "two\nlines", "ключ"])
def test_a_key_that_is_none_is_refused_and_not_printed(tmp_path: Path, key: str):
    key_file = tmp_path / "key"
    key_file.write_text(key, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="has no key") as refusal:
        ServerSettings(url=URL, key_file=str(key_file)).read_key()
    assert not key.strip() or key.strip() not in str(refusal.value)


def test_a_key_that_is_missing_is_named():
    with pytest.raises(ConfigurationError, match="variable LLM_KEY"):
        ServerSettings(url=URL, key_env="LLM_KEY").read_key({})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ServerSettings(url=URL, key_file="/no/such/file").read_key()


def test_a_secret_shows_itself_to_nobody():
    secret = Secret("abc")
    assert "abc" not in f"{secret} {secret!r} {[secret]}"
    assert secret.remove_from("the key abc is wrong") == "the key … is wrong"


GEMINI = "https://generativelanguage.googleapis.com/v1beta"


def test_gemini_servers_are_read(tmp_path: Path):
    servers = f'{{ url = "{GEMINI}", model = "gemini-2.5-flash", key_env = "GEMINI_API_KEY" }}'
    (model,) = loaded(tmp_path, servers, engine="gemini_server").models
    assert model.is_remote
    assert model.is_relayed


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ('{ url = "http://a:8765", model = "m" }', "does not end in a version of the API"),
        ('{ url = "http://v1beta", model = "m" }', "does not end in a version of the API"),
        ('{ url = "http://a/v1beta/models", model = "m" }', "does not end in a version"),
        ('{ url = "http://a/v1beta" }', "needs a `model`"),
        ('{ url = "http://a/v1beta", model = "" }', "needs a `model`"),
        ('{ url = "http://a/v1beta", model = "../m" }', "needs a `model`"),
        ('{ url = "http://a/v1beta", model = "m:x?y" }', "needs a `model`"),
        ('{ url = "http://a/v1beta?key=secret", model = "m" }', "query"),
    ],
)
def test_a_wrong_gemini_server_is_refused(tmp_path: Path, server: str, told: str):
    with pytest.raises(ConfigurationError, match=told) as refusal:
        loaded(tmp_path, server, engine="gemini_server")
    assert "secret" not in str(refusal.value)


def test_what_means_nothing_to_gemini_servers_is_refused(tmp_path: Path):
    config = tmp_path / "toplu.toml"
    config.write_text(
        '[[models]]\nname = "m"\nengine = "gemini_server"\n'
        f'servers = [{{ url = "{GEMINI}", model = "m" }}]\n'
        'remote = { structured = "grammar", always_stream = true }\n'
    )
    with pytest.raises(ConfigurationError, match=r"^models: structured, always_stream of m"):
        load(config, {})


def own_vllm(tmp_path: Path, *lines: str):
    config = tmp_path / "toplu.toml"
    head = ["[[models]]", 'name = "m"', 'engine = "vllm"', 'source = "hub:someone/a-model"']
    config.write_text("\n".join([*head, *lines]))
    return load(config, {}).models[0]


def test_vllm_of_ours_is_asked_as_a_server_and_has_none_of_others(tmp_path: Path):
    model = own_vllm(tmp_path, "replicas = 2", "[models.vllm]", 'gpus = ["0", "3"]')
    assert (model.is_remote, model.runs_server, model.caches) == (True, True, 1)
    assert [model.vllm.gpus_of(replica) for replica in range(2)] == [("0",), ("3",)]
    assert model.vllm.start_seconds_max == 1800.0


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (['servers = [{ url = "http://a/v1" }]'], "has no servers"),
        (["replicas = 2", "[models.vllm]", 'gpus = ["0"]'], "names 1 GPUs, and 2 replicas"),
        (["[models.vllm]", "tensor_parallel = 2", 'gpus = ["0"]'], "tensor_parallel = 2 need 2"),
        (["[models.vllm]", 'args = ["--api_key=secret"]'], "args has --api-key, which toplu sets"),
        (["[models.vllm]", 'args = ["--port", "1"]'], "args has --port"),
        (['kind = "embedding"'], "the engine vllm is of kind generation"),
    ],
)
def test_what_vllm_of_ours_cannot_be_is_refused(tmp_path: Path, lines: list[str], told: str):
    with pytest.raises(ConfigurationError, match=told) as refusal:
        own_vllm(tmp_path, *lines)
    assert "secret" not in str(refusal.value)
