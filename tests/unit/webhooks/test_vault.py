"""Secrets are sealed with a key of a file that all processes share."""

import stat
import threading
from pathlib import Path

import pytest

from toplu.errors import ConfigurationError
from toplu.webhooks.vault import Sealed, Vault


def test_what_is_sealed_says_nothing_and_opens_again(tmp_path: Path) -> None:
    sealed = Vault(tmp_path / "key").seal(b"whsec_secret")
    assert b"secret" not in sealed
    assert Vault(tmp_path / "key").open(sealed) == b"whsec_secret"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_processes_that_begin_at_once_share_one_key(tmp_path: Path) -> None:
    start = threading.Barrier(8)
    sealed = []

    def begin() -> None:
        start.wait()
        sealed.append(Vault(tmp_path / "key").seal(b"x"))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [Vault(tmp_path / "key").open(each) for each in sealed] == [b"x"] * 8


def test_a_new_key_is_heard_of_by_whoever_has_read_the_old_one(tmp_path: Path) -> None:
    running, operator = Vault(tmp_path / "key"), Vault(tmp_path / "key")
    before = running.seal(b"x")
    operator.begin_rekey()
    assert running.open(before) == b"x"
    resealed = operator.reseal(before)
    operator.end_rekey()
    assert running.open(resealed) == b"x"
    assert operator.open(running.seal(b"y")) == b"y"
    with pytest.raises(Sealed, match="rotate the secret"):
        running.open(before)


def test_without_the_key_nothing_opens_and_the_reason_names_the_file(tmp_path: Path) -> None:
    sealed = Vault(tmp_path / "key").seal(b"x")
    (tmp_path / "key").unlink()
    with pytest.raises(Sealed, match=str(tmp_path / "key")):
        Vault(tmp_path / "key").open(sealed)


@pytest.mark.parametrize(("text", "reason"), [("", "has no key"), ("nonsense\n", "is no key")])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "key").write_text(text)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(ConfigurationError, match=reason):
        Vault(tmp_path / "key").seal(b"x")


def test_a_key_that_everybody_can_read_is_none(tmp_path: Path) -> None:
    Vault(tmp_path / "key").seal(b"x")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        Vault(tmp_path / "key").seal(b"x")


DERIVED, OTHER = bytes(range(32)), bytes(32)


def test_where_a_key_is_derived_all_machines_open_what_one_sealed(tmp_path: Path) -> None:
    one, two = (Vault(tmp_path / name, DERIVED) for name in ("one", "two"))
    assert two.open(one.seal(b"x")) == b"x"
    assert not list(tmp_path.iterdir()), "no file is needed"
    with pytest.raises(Sealed, match="the secret of the cluster"):
        Vault(tmp_path / "one", OTHER).open(one.seal(b"x"))


def test_what_a_file_sealed_opens_where_a_key_is_derived_since(tmp_path: Path) -> None:
    before = Vault(tmp_path / "key").seal(b"x")
    since = Vault(tmp_path / "key", DERIVED)
    assert since.open(before) == b"x"
    assert Vault(tmp_path / "none", DERIVED).open(since.seal(b"y")) == b"y"


def test_a_derived_key_is_not_changed_by_hand(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="name a key_file"):
        Vault(tmp_path / "key", DERIVED).begin_rekey()
    assert not list(tmp_path.iterdir())
