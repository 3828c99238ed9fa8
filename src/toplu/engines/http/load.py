"""Reads what a server says of its own load, at `/metrics` beside its API.

|             | vLLM                             | SGLang                 | llama.cpp           |
|-------------|----------------------------------|------------------------|---------------------|
| running     | num_requests_running             | num_running_reqs       | requests_processing |
| waiting     | num_requests_waiting             | num_queue_reqs         | requests_deferred   |
| memory used | kv_cache_usage_perc              | token_usage            | -                   |
| memory      | labels of cache_config_info      | max_total_num_tokens   | -                   |
| preemptions | num_preemptions_total            | -                      | -                   |
| from cache  | prefix_cache_hits_total          | cached_tokens_total    | -                   |
| steps       | inter_token_latency_seconds      | the same               | -                   |

Names begin with `vllm:`, `sglang:` or `llamacpp:`. SGLang says nothing without `--enable-metrics`,
llama.cpp without `--metrics`. Of a server that is several engines the sums count.
"""

import asyncio
import re
from dataclasses import dataclass
from enum import StrEnum

from toplu.engines.http.connection import ServerConnection
from toplu.errors import TopluError

PATH = "/../metrics"
READ_SECONDS_MAX = 2.0
SAMPLE = re.compile(
    r"^(vllm|sglang|llamacpp):(\w+)(?:\{(.*)\})? ([0-9.]+(?:e[+-]?[0-9]+)?)$", re.MULTILINE
)
LABEL = re.compile(r'(\w+)="([^"]*)"')
RUNNING = ("num_requests_running", "num_running_reqs", "requests_processing")
WAITING = ("num_requests_waiting", "num_queue_reqs", "requests_deferred")
MEMORY_USED = ("kv_cache_usage_perc", "gpu_cache_usage_perc", "token_usage")
MEMORY = "max_total_num_tokens"
PREEMPTIONS = "num_preemptions_total"
FROM_CACHE = ("prefix_cache_hits_total", "cached_tokens_total")
CONFIGURATION = "cache_config_info"
STEPS, STEP_SECONDS = "inter_token_latency_seconds_count", "inter_token_latency_seconds_sum"
GAUGES = {*RUNNING, *WAITING, *MEMORY_USED, MEMORY, CONFIGURATION}
WANTED = {*GAUGES, PREEMPTIONS, *FROM_CACHE, STEPS, STEP_SECONDS}


class Software(StrEnum):
    """The servers whose figures are known."""

    VLLM = "vllm"
    SGLANG = "sglang"
    LLAMA_CPP = "llamacpp"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLoad:
    """A server's own figures, whoever sent it the requests."""

    software: Software
    running: int  # requests
    waiting: int
    memory_used: float | None = None  # the share of the memory for prefixes and answers
    memory_tokens: int | None = None  # that fit in it
    keeps_prefixes: bool | None = None
    preemptions: int = 0  # requests that were put back for want of memory, since the start
    tokens_from_cache: int = 0  # since the start
    steps: int = 0  # from a token of an answer to its next, of all answers since the start
    step_seconds: float = 0.0  # of all of them together


def read_load(text: str) -> ServerLoad | None:
    """Return the load in the text, which is of Prometheus; None if it has none that is known."""
    figures: dict[str, list[float]] = {}
    configurations: list[dict[str, str]] = []
    software = ""
    for sample in SAMPLE.finditer(text):
        name = sample[2]
        if name not in WANTED:
            continue
        software = sample[1]
        if name == CONFIGURATION:
            configurations.append(dict(LABEL.findall(sample[3] or "")))
        else:
            figures.setdefault(name, []).append(float(sample[4]))

    def total(*names: str) -> int | None:
        found = [value for name in names for value in figures.get(name, ())]
        return round(sum(found)) if found else None

    running, waiting = total(*RUNNING), total(*WAITING)
    if running is None or waiting is None:
        return None
    shares = [value for name in MEMORY_USED for value in figures.get(name, ())]
    sizes = [size for each in configurations if (size := _tokens_of(each)) is not None]
    keeps = {each.get("enable_prefix_caching") for each in configurations} - {None}
    return ServerLoad(
        software=Software(software),
        running=running,
        waiting=waiting,
        memory_used=max(shares, default=None),
        memory_tokens=sum(sizes) if sizes else total(MEMORY),
        keeps_prefixes="True" in keeps if keeps else None,
        preemptions=total(PREEMPTIONS) or 0,
        tokens_from_cache=total(*FROM_CACHE) or 0,
        steps=total(STEPS) or 0,
        step_seconds=sum(figures.get(STEP_SECONDS, ())),
    )


def _tokens_of(configuration: dict[str, str]) -> int | None:
    """Return how many tokens fit in the memory of a vLLM."""
    tokens = configuration.get("kv_cache_size_tokens", "")
    if tokens.isdecimal():
        return int(tokens)
    blocks, size = configuration.get("num_gpu_blocks", ""), configuration.get("block_size", "")
    return int(blocks) * int(size) if blocks.isdecimal() and size.isdecimal() else None


class LoadReader:
    """Asks one server for its load; one that has no such figures is not asked again."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._software: Software | None = None
        self._has_none = False

    @property
    def software(self) -> Software | None:
        """Return what the server is, once it has said so."""
        return self._software

    async def read(self) -> ServerLoad | None:
        """Return the load; None if the server does not say, or not in time."""
        if self._has_none:
            return None
        client = self._connection.client
        try:
            async with (
                asyncio.timeout(READ_SECONDS_MAX),
                self._connection.answer_to(PATH, None) as response,
            ):
                text = (await client.read(response)).decode(errors="replace")
        except TimeoutError:
            return None
        except TopluError:
            self._has_none = self._software is None
            return None
        load = read_load(text)
        if load is None:
            self._has_none = self._software is None
        else:
            self._software = load.software
        return load
