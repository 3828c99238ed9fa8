"""Settings of a server on several machines: how the api reaches workers that run elsewhere."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from toplu.errors import ConfigurationError
from toplu.settings.bounds import Seconds
from toplu.settings.remote import Secret, read_kept

SECRET_LENGTH_MIN = 32
ADDRESS = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})", re.ASCII)


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The doors of workers; on one machine they are sockets, and need nothing."""

    # What starts and ends replicas of models with `replicas_max`: `toplu serve` as processes of its
    # own, or nothing of ours, which is told by `toplu_replicas_wanted`.
    placement: Literal["local", "none"] = "local"
    # A call waits so long for the first replica of a model that rests.
    start_wait_seconds: Seconds = 60.0
    # A worker listens there for the api, HOST:PORT. Port 0: any that is free; host 0.0.0.0: others
    # are told the address of this machine's way out.
    door: str | None = None
    door_url: str | None = None  # what others are told, if it is another name
    # What api and worker prove themselves with to each other, the same for all processes.
    secret_file: Path | None = None
    secret_env: str | None = None
    certificate_file: Path | None = None  # of the door, and what is its own key
    key_file: Path | None = None
    ca_file: Path | None = None  # who signs the certificates of doors; None: as the system has it

    def read_secret(self, environment: Mapping[str, str] | None = None) -> Secret | None:
        """Return the secret, None if there is to be none, or raise ConfigurationError."""
        text = read_kept(
            self.secret_env, self.secret_file, environment, file_setting="cluster: secret_file"
        )
        if text is None:
            return None
        # A header takes nothing else.
        if len(text) < SECRET_LENGTH_MIN or not text.isascii() or not text.isprintable():
            place = (
                f"secret_file {self.secret_file}"
                if self.secret_env is None
                else f"secret_env: the variable {self.secret_env}"
            )
            raise ConfigurationError(
                f"cluster: {place} has no secret of {SECRET_LENGTH_MIN} printable characters or "
                "more; `openssl rand -hex 32` makes one"
            )
        return Secret(text)

    def derived_key(self, purpose: str) -> bytes | None:
        """Return 32 bytes that all processes with the secret derive alike; None without one."""
        secret = self.read_secret()
        if secret is None:
            return None
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"toplu {purpose}".encode())
        return kdf.derive(secret.reveal().encode())

    @property
    def listening_at(self) -> tuple[str, int] | None:
        """Return host and port of the door; None: it is a socket of the data folder."""
        if self.door is None:
            return None
        parts = ADDRESS.fullmatch(self.door)
        assert parts is not None, "it was checked when it was read"
        return parts["host"].strip("[]"), int(parts["port"])


def check_workers(cluster: ClusterSettings, workers: int) -> None:
    """Raise ConfigurationError if several workers of one server would have one door."""
    at = cluster.listening_at
    if at is None or workers < 2:  # noqa: PLR2004  # one has the door for itself
        return
    _, port = at
    if port or cluster.door_url is not None:
        setting = f"door {cluster.door!r}" if port else "door_url"
        raise ConfigurationError(
            f"cluster: {setting} is that of one worker, and there are {workers}: let each take a "
            'free port (door = "HOST:0", without door_url), or have one (--workers 1)'
        )


def check_cluster(cluster: ClusterSettings) -> None:
    """Raise ConfigurationError unless a door has an address, a secret, and both files or none."""
    if cluster.secret_file is not None and cluster.secret_env is not None:
        raise ConfigurationError("cluster: name one of secret_file and secret_env")
    if cluster.door is None:
        return
    parts = ADDRESS.fullmatch(cluster.door)
    if parts is None or int(parts["port"]) > 65535:  # noqa: PLR2004  # of TCP
        raise ConfigurationError(f"cluster: door {cluster.door!r} is no HOST:PORT")
    if cluster.secret_file is None and cluster.secret_env is None:
        raise ConfigurationError("cluster: a door needs secret_file or secret_env")
    if (cluster.certificate_file is None) != (cluster.key_file is None):
        raise ConfigurationError("cluster: certificate_file and key_file are for each other")
