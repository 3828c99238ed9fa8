"""The connection that all clients of an OpenAI-compatible server share."""

import msgspec

from toplu.engines.http.connection import ServerConnection
from toplu.engines.http.fault import ServerAway
from toplu.settings.remote import RemoteSettings, Secret, ServerSettings


class ListedModel(msgspec.Struct, frozen=True):
    """A model that a server has."""

    id: str


class ModelList(msgspec.Struct, frozen=True):
    """All of them; Ollama sends null where there is none."""

    data: list[ListedModel] | None = None


def connect_openai(
    server: ServerSettings,
    remote: RemoteSettings,
    request_seconds_max: float,
    key: Secret | None = None,
) -> ServerConnection:
    """Return a connection, with the key or that of the settings.

    ConfigurationError: the key is not where the settings have it.
    """
    key = key or server.read_key()
    return ServerConnection(
        server,
        remote,
        headers={} if key is None else {"Authorization": f"Bearer {key.reveal()}"},
        key=key,
        request_seconds_max=request_seconds_max,
    )


class NamedModel:
    """The model that a server is asked for: the one of the settings, else the first it lists."""

    def __init__(self, connection: ServerConnection, name: str | None) -> None:
        self._connection = connection
        self._name = name

    async def check(self) -> None:
        """Return if the server is fit to be asked, or raise ServerFault."""
        listed = await self._connection.look_at("/models", ModelList)
        if self._name is None:
            if not listed.data:
                raise ServerAway("the server lists no model")
            self._name = listed.data[0].id

    async def name(self) -> str:
        """Return what it is called there, or raise ServerFault."""
        if self._name is None:
            await self.check()
        return self._name or ""
