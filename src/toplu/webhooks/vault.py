"""Seals secrets with a key that is in a file of its own, so that rows alone give nothing away.

    webhooks.key   a key a line: the first one seals, each opens

Every process of a data folder reads the same file, again whenever it has changed. Sealing is done
in the transaction that writes, so that nothing is written with a key that is just being replaced.

Where processes of a cluster derive a key of their secret, that one seals; a file opens what it did
before.
"""

import base64
import stat
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from toplu.errors import ConfigurationError, FailedPrecondition
from toplu.store import key_files

OTHERS = stat.S_IRWXO


class Sealed(FailedPrecondition):
    """A secret cannot be opened: it was sealed with a key that the file does not have."""


class Vault:
    """Seals and opens; each call may read the file, which is a hundred bytes."""

    def __init__(self, path: Path, derived: bytes | None = None) -> None:
        self._path = path
        self._derived = [] if derived is None else [Fernet(base64.urlsafe_b64encode(derived))]
        self._read: tuple[tuple[int, int], MultiFernet] | None = None

    @property
    def keys(self) -> str:
        """Name the keys, in words for an operator."""
        return f"the secret of the cluster, or {self._path}," if self._derived else str(self._path)

    def seal(self, secret: bytes) -> bytes:
        """Return the secret as it may be kept; the first call of all makes the key."""
        if not (self._derived or self._path.exists()):
            key_files.write_first(self._path, _content_of([_new_key()]))
        return self._keys().encrypt(secret)

    def open(self, sealed: bytes) -> bytes:
        """Return the secret, or raise Sealed."""
        try:
            return self._keys().decrypt(sealed)
        except (InvalidToken, FileNotFoundError) as error:
            raise Sealed(
                f"A secret was sealed with a key that {self.keys} does not have: bring that back, "
                "or rotate the secret."
            ) from error

    def begin_rekey(self) -> None:
        """Have a new key seal from now on; the ones before it still open."""
        if self._derived:
            raise ConfigurationError(
                "webhooks: secrets are sealed with a key derived from the secret of the cluster; "
                "name a key_file for all processes to have one that can be changed"
            )
        old = self._lines() if self._path.exists() else []
        key_files.replace(self._path, _content_of([_new_key(), *old]))

    def reseal(self, sealed: bytes) -> bytes:
        """Return the same, sealed with the newest key."""
        return self._keys().encrypt(self.open(sealed))

    def end_rekey(self) -> None:
        """Forget every key but the newest one."""
        key_files.replace(self._path, _content_of(self._lines()[:1]))

    def _keys(self) -> MultiFernet:
        if self._derived and not self._path.exists():
            return MultiFernet(self._derived)
        status = self._path.stat()
        version = (status.st_mtime_ns, status.st_ino)
        if self._read is None or self._read[0] != version:
            if status.st_mode & OTHERS:
                raise ConfigurationError(
                    f"{self._path}: can be read by everybody; take that right away: chmod 600"
                )
            in_file = [self._key_of(line) for line in self._lines()]
            self._read = (version, MultiFernet([*self._derived, *in_file]))
        return self._read[1]

    def _lines(self) -> list[str]:
        lines = self._path.read_text(encoding="ascii").split()
        if not lines:
            raise ConfigurationError(f"{self._path}: has no key in it")
        return lines

    def _key_of(self, line: str) -> Fernet:
        try:
            return Fernet(line)
        except ValueError as error:
            raise ConfigurationError(f"{self._path}: has a line that is no key") from error


def _content_of(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _new_key() -> str:
    return Fernet.generate_key().decode("ascii")
