"""A cluster's door has an address that others reach, and a secret that is one."""

from pathlib import Path

import pytest

from toplu.errors import ConfigurationError
from toplu.settings.cluster import ClusterSettings, check_workers
from toplu.settings.load import load

SECRET = "0123456789abcdef" * 3


def loaded(tmp_path: Path, *lines: str) -> ClusterSettings:
    config = tmp_path / "toplu.toml"
    config.write_text("\n".join(["[cluster]", *lines]))
    return load(config, {}).cluster


def test_without_a_door_nothing_is_needed(tmp_path: Path) -> None:
    cluster = loaded(tmp_path)
    assert cluster.listening_at is None
    assert cluster.read_secret({}) is None


@pytest.mark.parametrize(
    ("door", "at"),
    [("10.0.0.5:8770", ("10.0.0.5", 8770)), ("[fd00::5]:0", ("fd00::5", 0)), ("a:1", ("a", 1))],
)
def test_a_door_is_a_host_and_a_port(tmp_path: Path, door: str, at: tuple[str, int]) -> None:
    assert loaded(tmp_path, f'door = "{door}"', 'secret_env = "S"').listening_at == at


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (['door = "10.0.0.5:8770"'], "a door needs secret_file or secret_env"),
        (['door = "10.0.0.5"', 'secret_env = "S"'], "is no HOST:PORT"),
        (['door = "a:70000"', 'secret_env = "S"'], "is no HOST:PORT"),
        (['secret_env = "S"', 'secret_file = "/s"'], "name one of"),
        (['door = "a:1"', 'secret_env = "S"', 'key_file = "/k"'], "are for each other"),
    ],
)
def test_what_is_no_door_is_refused(tmp_path: Path, lines: list[str], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        loaded(tmp_path, *lines)


def test_the_secret_comes_from_a_file_or_the_environment_and_is_never_printed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    for cluster in (ClusterSettings(secret_file=file), ClusterSettings(secret_env="S")):
        secret = cluster.read_secret({"S": SECRET})
        assert secret is not None
        assert secret.reveal() == SECRET
        assert SECRET not in repr(secret)


@pytest.mark.parametrize("text", ["", "short", "x" * 31, "ä" * 40, f"{'x' * 40}\x01"])
def test_a_secret_that_is_none_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(ConfigurationError, match="has no secret") as refusal:
        ClusterSettings(secret_env="S").read_secret({"S": text})
    assert not text or text not in str(refusal.value)


def test_all_with_the_secret_derive_the_same_key_and_another_for_each_purpose(
    tmp_path: Path,
) -> None:
    (tmp_path / "one").write_text(f"{SECRET}\n")
    (tmp_path / "two").write_text(SECRET)
    (tmp_path / "other").write_text(SECRET.swapcase())
    keys = [
        ClusterSettings(secret_file=tmp_path / file).derived_key(purpose)
        for file, purpose in (("one", "a"), ("two", "a"), ("two", "b"), ("other", "a"))
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert all(len(key or b"") == 32 and SECRET.encode() not in (key or b"") for key in keys)
    assert ClusterSettings().derived_key("a") is None


@pytest.mark.parametrize(
    ("door", "door_url", "workers"),
    [
        (None, None, 8),
        ("a:0", None, 8),
        ("a:1", None, 1),
        ("a:1", "http://b", 0),
        ("a:0", "http://b", 1),
    ],
)
def test_each_worker_of_a_server_has_a_door_of_its_own(
    door: str | None, door_url: str | None, workers: int
) -> None:
    check_workers(ClusterSettings(door=door, door_url=door_url), workers)


@pytest.mark.parametrize(
    ("door", "door_url", "named"),
    [("a:1", None, "door 'a:1'"), ("a:0", "http://b", "door_url")],
)
def test_two_workers_with_one_door_are_refused(door: str, door_url: str | None, named: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"cluster: {named}.*there are 2.*HOST:0"):
        check_workers(ClusterSettings(door=door, door_url=door_url), 2)
