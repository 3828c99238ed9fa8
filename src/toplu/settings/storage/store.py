"""The setting of where rows are: a file in the data folder, or a PostgreSQL server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from toplu.errors import ConfigurationError
from toplu.settings.remote import Secret, read_kept


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server that has the rows; where none is named they are in the data folder."""

    url: str | None = None  # postgresql://toplu@db.example/toplu
    url_file: Path | None = None  # or a file that has it, for one with a password
    url_env: str | None = None  # or a variable of the environment
    # To that server, of each process, beside one on which it listens.
    connections_max: Annotated[int, msgspec.Meta(ge=2, le=64)] = 8

    @property
    def is_shared(self) -> bool:
        """Whether other machines may have the same rows."""
        return any((self.url, self.url_file, self.url_env))

    def read_url(self, environment: Mapping[str, str] | None = None) -> Secret | None:
        """Return the URL, None if there is to be none, or raise ConfigurationError."""
        url = read_kept(self.url_env, self.url_file, environment, file_setting="store: url_file")
        if url is None:
            return None if self.url is None else Secret(self.url)
        if not url:
            place = (
                f"url_file {self.url_file}"
                if self.url_env is None
                else f"url_env: the variable {self.url_env}"
            )
            raise ConfigurationError(f"store: {place} has no URL")
        return Secret(url)


def check_store(store: StoreSettings) -> None:
    """Raise ConfigurationError if two places are named."""
    if sum(it is not None for it in (store.url, store.url_file, store.url_env)) > 1:
        raise ConfigurationError("store: name one of url, url_file and url_env")
