"""Settings of a remote engine: its servers, and how much is asked of them."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from toplu.errors import ConfigurationError
from toplu.settings.bounds import MIB, Fraction, Positive, Seconds
from toplu.settings.hosts import address_fault

HIDDEN = "…"
API_VERSION = re.compile(r"/v[0-9]+[a-z0-9]*/?$", re.ASCII)
GEMINI_NAME = re.compile(r"(?:(?:models|tunedModels)/)?[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
OF_VLLM = ("host", "port", "api-key", "served-model-name", "max-model-len", "tensor-parallel-size")
OF_OPENAI = ("structured", "structured_attempts_max", "only_openai_fields", "always_stream")


class Secret:
    """A text that nothing prints unless it is asked to: no log, no repr, no traceback."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the header that it belongs in and for nothing else."""
        return self._text

    def remove_from(self, text: str) -> str:
        """Return a server's words without the secret, should it have repeated it."""
        return text.replace(self._text, HIDDEN)

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    __str__ = __repr__


def read_kept(
    variable: str | None,
    file: str | Path | None,
    environment: Mapping[str, str] | None,
    *,
    file_setting: str,
) -> str | None:
    """Return what a variable of the environment has, or a file; None: neither is named.

    ConfigurationError: the file, which `file_setting` names, cannot be read.
    """
    if variable is not None:
        variables = os.environ if environment is None else environment  # noqa: TID251
        return variables.get(variable, "").strip()
    if file is None:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{file_setting} {file} cannot be read: {type(error).__name__}"
        ) from None


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One server that answers for a model."""

    # Of an OpenAI-compatible server with its `/v1`, of a Gemini server with its `/v1beta`.
    url: str
    # Its name there; None: the first that an OpenAI-compatible server lists.
    model: str | None = None
    key_env: str | None = None  # the variable of the environment that has the key
    key_file: str | None = None  # or the file
    weight: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 1.0  # its share beside other servers

    def read_key(self, environment: Mapping[str, str] | None = None) -> Secret | None:
        """Return the key, None if there is to be none, or raise ConfigurationError."""
        key = read_kept(self.key_env, self.key_file, environment, file_setting="key_file")
        if key is None:
            return None
        # A header takes nothing else.
        if not key or not key.isascii() or not key.isprintable():
            place = self.key_file if self.key_env is None else f"the variable {self.key_env}"
            raise ConfigurationError(f"{place} has no key for {self.url}")
        return Secret(key)


class RemoteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The use of a model's servers; the numbers are for each of them."""

    # Requests at a time: begun with `first`, then as many as serve best, never more than `max`;
    # of a server that says how many wait there as many as keep its seats taken, at first 64.
    requests_first: Positive = 16
    requests_max: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 256
    attempts_max: Positive = 5  # of one request whose answer does not arrive whole
    patience_seconds: Seconds = 30.0  # how long an interactive call waits to be taken, in all
    connect_seconds_max: Seconds = 10.0
    silence_seconds_max: Seconds = 300.0  # between two pieces of a streamed answer
    retry_after_seconds_max: Seconds = 300.0  # the longest `Retry-After` that is heeded
    failures_max: Positive = 3  # in a row, before a server is left alone for a while
    health_seconds: Seconds = 10.0  # between two looks at an idle server
    # Requests of batches beside interactive calls: as many as make a token take so many times as
    # long as beside one, found out of servers that tell their load, or this part of all.
    interactive_slowdown_max: Annotated[float, msgspec.Meta(ge=1, le=100)] = 1.3
    interactive_share: Fraction | None = None
    load_seconds: Seconds = 1.0  # between two looks at the load of a server that has work
    response_bytes_max: Positive = 32 * MIB

    files_bytes_max: Positive = 14 * MIB  # that a request to a Gemini server names, together

    # What OpenAI-compatible servers can do.
    # How they hold an answer to a schema: by `response_format`, beside tools of their own or, with
    # `grammar`, beside calls as text; `none` puts it to the model in words; `llguidance` is for a
    # llama.cpp that is built with it, any other would break down. All answers are proved.
    structured: Literal["json_schema", "grammar", "llguidance", "none"] = "json_schema"
    structured_attempts_max: Positive | None = None  # None: the model's structure_attempts_max
    only_openai_fields: bool = False  # no top_k, min_p or repetition penalties
    always_stream: bool = False  # a server that notices a client that is gone by writing alone


class VllmSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The way in which a worker runs vLLM itself; for the rest it is as vLLM has it."""

    command: Annotated[str, msgspec.Meta(min_length=1)] = "vllm"  # the program, or its path
    tensor_parallel: Positive = 1  # GPUs of one replica
    # Those of all replicas of a worker, dealt out in this order; none: vLLM takes what it finds.
    gpus: tuple[str, ...] = ()
    args: tuple[str, ...] = ()  # further options of `vllm serve`
    start_seconds_max: Seconds = 1800.0  # a large model takes a while to be read

    def gpus_of(self, replica: int) -> tuple[str, ...]:
        """Return those of a replica, by its place among those of one owner."""
        begin = replica * self.tensor_parallel
        return self.gpus[begin : begin + self.tensor_parallel]


def check_servers(model: str, servers: tuple[ServerSettings, ...], *, remote: bool) -> None:
    """Raise ConfigurationError unless the model has the servers that its engine needs."""
    if remote != bool(servers):
        needs = "needs one server at least" if remote else "has no servers"
        raise ConfigurationError(f"models: the engine of {model} {needs}")
    for server in servers:
        if fault := address_fault(server.url, keys="key_env or key_file"):
            # Not printed whole: it may have a password in it.
            raise ConfigurationError(f"models: a url among the servers of {model} {fault}")
        if server.key_env is not None and server.key_file is not None:
            raise ConfigurationError(f"models: {server.url} has both key_env and key_file")
    if len({server.url for server in servers}) != len(servers):
        raise ConfigurationError(f"models: two servers of {model} have the same url")


def check_gemini_servers(
    model: str, servers: tuple[ServerSettings, ...], remote: RemoteSettings
) -> None:
    """Raise ConfigurationError unless the servers can be asked through Google's API."""
    for server in servers:
        if API_VERSION.search(urlsplit(server.url).path) is None:
            raise ConfigurationError(
                f"models: {server.url} of {model} does not end in a version of the API, "
                "as in http://gpu-1:8765/v1beta"
            )
        if server.model is None or GEMINI_NAME.fullmatch(server.model) is None:
            raise ConfigurationError(
                f"models: {server.url} of {model} needs a `model`, its name there, "
                "such as gemini-2.5-flash"
            )
    usual = RemoteSettings()
    if others := [name for name in OF_OPENAI if getattr(remote, name) != getattr(usual, name)]:
        raise ConfigurationError(
            f"models: {', '.join(others)} of {model} is for openai_server models alone"
        )


def check_vllm(model: str, vllm: VllmSettings, replicas: int) -> None:
    """Raise ConfigurationError unless there are GPUs for all replicas, and no option is ours."""
    gpus, needed = len(vllm.gpus), replicas * vllm.tensor_parallel
    if gpus not in (0, needed):
        raise ConfigurationError(
            f"models: {model}: vllm.gpus names {gpus} GPUs, and {replicas} replicas with "
            f"tensor_parallel = {vllm.tensor_parallel} need {needed}"
        )
    # As vLLM reads them.
    names = {arg.partition("=")[0].removeprefix("--").replace("_", "-") for arg in vllm.args}
    if ours := names.intersection(OF_VLLM):
        raise ConfigurationError(
            f"models: {model}: vllm.args has --{', --'.join(sorted(ours))}, which toplu sets by "
            "the other settings of the model"
        )
