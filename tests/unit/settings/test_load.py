from pathlib import Path

import pytest

from toplu.errors import ConfigurationError
from toplu.settings.load import load
from toplu.settings.server import Settings


def test_the_later_source_wins(tmp_path: Path) -> None:
    config = tmp_path / "toplu.toml"
    config.write_text('port = 1\nhost = "127.0.0.2"\ndrain_seconds = 5\n')
    environment = {"TOPLU_PORT": "2", "TOPLU_HOST": "127.0.0.3", "PATH": "/bin"}
    settings = load(config, environment, {"port": 3, "host": None})
    assert (settings.port, settings.host, settings.drain_seconds) == (3, "127.0.0.3", 5.0)
    assert settings.data_dir == Settings().data_dir


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("port = 70000", "$.port"),
        ('port = "80"', None),
        ("prot = 80", "there is no setting `prot`; did you mean `port`?"),
        ("drain_seconds = -1", "$.drain_seconds"),
        ('state_style = "jobs"', "state_style: `jobs` is no choice; did you mean `job`?"),
        (
            '[[models]]\nname = "a"\nengine = "magic"',
            "models[0].engine: `magic` is no choice; it is one of echo, echo_embedder,",
        ),
        (
            '[[models]]\nname = "a"\nengine = "echo"\nkind = "embeding"',
            "models[0].kind: `embeding` is no choice; did you mean `embedding`?",
        ),
        (
            '[[models]]\nname = "a"\nengine = "echo"\necho.delay = 1',
            "models[0].echo: there is no setting `delay`; did you mean `delay_seconds`?",
        ),
        ("[search]\nzzz = 1", "search: there is no setting `zzz`"),
        ('[[models]]\nname = "A b"\nengine = "echo"', "$.models[0].name"),
        ("port = ", "is not TOML"),
    ],
)
def test_a_bad_file_is_named_with_the_place(tmp_path: Path, text: str, told: str | None) -> None:
    config = tmp_path / "toplu.toml"
    config.write_text(text)
    if told is None:
        assert load(config, {}).port == 80
        return
    with pytest.raises(ConfigurationError) as caught:
        load(config, {})
    assert str(config) in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('public_url = "toplu.example"', "public_url is no http:// or https:// address"),
        ('public_url = "http://user:pass@s"', "public_url has credentials in it$"),
        ('search = { url = "http://user:pass@s" }', "search: url has credentials in it$"),
        ('[[models]]\nname = "a"\nengine = "llama_cpp"', "the engine llama_cpp needs a source"),
        (
            '[[models]]\nname = "a"\nengine = "echo"\nlanes = 1\nreproducible = true',
            "models: a: reproducible is for the engine llama_cpp with lanes = 1",
        ),
        (
            '[[models]]\nname = "a"\nengine = "llama_cpp"\nsource = "path:x"\nreproducible = true',
            "models: a: reproducible is for the engine llama_cpp with lanes = 1",
        ),
        ('allowed_hosts = ["http://a"]', "`http://a` is no name of a host"),
        ('allowed_hosts = ["a:80"]', "`a:80` is no name of a host"),
        ('allowed_hosts = ["*.a"]', r"`\*.a` is no name of a host"),
        ('allowed_origins = ["a.example"]', "`a.example` is no origin"),
        ('allowed_origins = ["https://a.example/"]', "`https://a.example/` is no origin"),
        ('allowed_origins = ["*"]', r"`\*` is no origin"),
    ],
)
def test_settings_that_do_not_work_are_refused(tmp_path: Path, text: str, mistake: str) -> None:
    config = tmp_path / "toplu.toml"
    config.write_text(text)
    with pytest.raises(ConfigurationError, match=mistake):
        load(config, {})


def test_paths_are_read_from_files_and_variables(tmp_path: Path) -> None:
    config = tmp_path / "toplu.toml"
    config.write_text('data_dir = "/a"\nmodel_dir = "/b"\n')
    settings = load(config, {"TOPLU_DATA_DIR": "/c"})
    assert (settings.data_dir, settings.model_dir) == (Path("/c"), Path("/b"))
    assert load(config, {}, {"data_dir": Path("/d")}).data_dir == Path("/d")
    for wrong in ('data_dir = ""', "data_dir = 3"):
        config.write_text(wrong)
        with pytest.raises(ConfigurationError, match=r"the path of a file or a folder.*data_dir"):
            load(config, {})


def test_lists_are_read_from_files_and_variables(tmp_path: Path) -> None:
    config = tmp_path / "toplu.toml"
    config.write_text('allowed_hosts = ["a", "[::1]"]')
    environment = {"TOPLU_ALLOWED_ORIGINS": "https://a.example, http://b:8080,"}
    settings = load(config, environment)
    assert settings.allowed_hosts == ("a", "[::1]")
    assert settings.allowed_origins == ("https://a.example", "http://b:8080")
    assert load(config, {"TOPLU_ALLOWED_HOSTS": ""}).allowed_hosts == ()


def test_a_bad_variable_is_named() -> None:
    with pytest.raises(ConfigurationError, match="TOPLU_PORT"):
        load(environment={"TOPLU_PORT": "many"})


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "toplu.toml"
    config.write_text('[[models]]\nname = "a"\nengine = "echo"\n' * 2)
    with pytest.raises(ConfigurationError, match="same name"):
        load(config, {})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "none.toml", {})


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('engine = "echo"\nprojector = "path:x"', "a projector is for llama_cpp models"),
        ('engine = "llama_cpp"\nvision = true', "llama_cpp sees with a projector alone"),
        ('engine = "echo_embedder"\nvision = true', "embedding models read text alone"),
    ],
)
def test_sight_that_an_engine_cannot_have_is_refused(tmp_path: Path, table: str, told: str) -> None:
    config = tmp_path / "toplu.toml"
    config.write_text(f'[[models]]\nname = "m"\n{table}\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"models: m: {told}"):
        load(config, {})
