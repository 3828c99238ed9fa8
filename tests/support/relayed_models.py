"""The `[[models]]` tables of models that another Gemini server answers for."""

from pathlib import Path
from typing import Any

from support.model_tables import model_table
from toplu.settings.remote import RemoteSettings, ServerSettings
from toplu.settings.server import Kind, ModelSettings

MODEL = "gemini-2.5-flash"
EMBEDDER = "gemini-embedding-001"


def relayed_model(url: str, key_file: Path, **remote: Any) -> str:
    server = ServerSettings(url=f"{url}/v1beta", model=MODEL)
    model = ModelSettings(
        name="relayed",
        aliases=("gemini-*",),
        engine="gemini_server",
        servers=(server,),
        remote=RemoteSettings(requests_first=4, health_seconds=0.5, **remote),
    )
    servers = [{"url": server.url, "model": MODEL, "key_file": str(key_file)}]
    return model_table(model, servers=servers)


def relayed_embedder(url: str, key_file: Path) -> str:
    server = ServerSettings(url=f"{url}/v1beta", model=EMBEDDER)
    model = ModelSettings(
        name="relayed-embedder",
        aliases=(EMBEDDER,),
        engine="gemini_server",
        named_kind=Kind.EMBEDDING,
        servers=(server,),
        lazy=True,
    )
    servers = [{"url": server.url, "model": EMBEDDER, "key_file": str(key_file)}]
    return model_table(model, servers=servers)
