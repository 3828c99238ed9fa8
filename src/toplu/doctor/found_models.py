"""The models on this machine: of servers on their usual ports, and files that are given.

Only loopback addresses are asked, for a list of their models, and for no answer.
"""

import http.client
import json
import re
from dataclasses import dataclass
from pathlib import Path

from toplu.engines.llama_cpp.gguf import read_context_tokens
from toplu.errors import ConfigurationError
from toplu.settings.bounds import MIB

PORTS = {
    8000: "vLLM",
    8080: "llama.cpp",
    11434: "Ollama",
    1234: "LM Studio",
    30000: "SGLang",
}
ANSWER_SECONDS = 2.0
ANSWER_BYTES_MAX = 4 * MIB
MODELS_MAX = 16  # of one server
CONTEXT_TOKENS_MAX = 32_768  # that a lane is given, however many the model could read
NAME_LENGTH_MAX = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """A model that can be used here."""

    name: str  # as a catalogue may have it
    server: str  # the URL of what serves it; empty: a file
    software: str = ""
    served_name: str = ""
    path: Path | None = None
    source: str = ""  # from where its file is to be fetched
    context_tokens: int = 0  # of a file; 0: the server knows

    @property
    def is_embedding(self) -> bool:
        return "embed" in self.name


def find_servers() -> list[FoundModel]:
    """Return the models of the servers that answer; blocking, some seconds at most."""
    return [
        FoundModel(
            name=slug_of(name),
            server=f"http://127.0.0.1:{port}/v1",
            software=software,
            served_name=name,
        )
        for port, software in PORTS.items()
        for name in served_by(port)[:MODELS_MAX]
    ]


def served_by(port: int) -> list[str]:
    """Return the names of the models that a server on this machine lists, none if none is there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/v1/models")
        answer = connection.getresponse()
        listed = json.loads(answer.read(ANSWER_BYTES_MAX))
        names = [entry["id"] for entry in listed["data"]]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return []
    finally:
        connection.close()
    return [name for name in names if isinstance(name, str)]


def read_file(path: Path) -> FoundModel:
    """Return the model of a GGUF file, or raise ConfigurationError: it is none."""
    try:
        context_tokens = read_context_tokens(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: cannot be read as a GGUF file: {error}") from error
    return FoundModel(
        name=slug_of(path.stem),
        server="",
        path=path.resolve(),
        context_tokens=min(context_tokens or CONTEXT_TOKENS_MAX, CONTEXT_TOKENS_MAX),
    )


def slug_of(name: str) -> str:
    """Return a name that a catalogue may have."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("._-")
    return slug[:NAME_LENGTH_MAX].strip("._-") or "model"
