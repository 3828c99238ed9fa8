"""The tables; `migrations` builds them, and a test holds the two equal.

There is no row per request: a job of ten million requests is one job, some ten thousand shards
and as many segments of the result log.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

from toplu.store.rows.columns import Moment, further_usage

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("model", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("method", String(16), nullable=False, server_default="GENERATE"),
    # The API that it came by, and what that API alone knows of it.
    Column("wire", String(16), nullable=False, server_default="GEMINI"),
    Column("wire_details", LargeBinary),
    # The WebhookConfig of the call that made it, as JSON.
    Column("webhook_config", LargeBinary),
    Column("display_name", Text),
    Column("input_form", String(16), nullable=False),
    Column("input_file", String(64)),
    Column("state", String(16), nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in ("total", "succeeded", "failed")),
    Column("deduplicated", BigInteger, nullable=False, server_default="0"),
    Column("carried", BigInteger, nullable=False, server_default="0"),
    Column("prompt_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cached_tokens", BigInteger, nullable=False, server_default="0"),
    Column("output_tokens", BigInteger, nullable=False, server_default="0"),
    *further_usage(),
    Column("tokens_estimate", BigInteger, nullable=False, server_default="0"),
    # Of one token when the batch was created: what was agreed then is what it costs.
    Column("currency", String(3), nullable=False, server_default="USD"),
    Column("input_units", BigInteger, nullable=False, server_default="0"),
    Column("cached_units", BigInteger, nullable=False, server_default="0"),
    Column("output_units", BigInteger, nullable=False, server_default="0"),
    Column("reused_units", BigInteger, nullable=False, server_default="0"),
    Column("reuse", Boolean, nullable=False, server_default=false()),
    Column("planned", Boolean, nullable=False),
    Column("priority", BigInteger, nullable=False, server_default="0"),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("started", Moment),
    Column("ended", Moment),
    Column("expires", Moment, nullable=False),
    Column("output_file", String(64)),
    Column("input_sha256", String(64)),
    Column("output_sha256", String(64)),
    Column("input_origin", LargeBinary),
    # What its answers were computed by, as a JSON list of Reproducibility.
    Column("computed_by", LargeBinary),
    # Of a batch for several engines: the job of the first one, by whose id clients know it.
    Column("part_of", String(64)),
    Column("retry_of", String(64)),
    Column("retried_by", String(64)),
    Column("error_code", BigInteger),
    Column("error_message", Text),
    # A deleted job is invisible; its row stays until its blobs and results are gone.
    Column("deleted", Boolean, nullable=False),
    Index("jobs_of_project", "project", "created", "id"),
    Index("jobs_in_state", "state", "created", "id"),
    Index("jobs_ended", "ended"),
    Index("jobs_deleted", "deleted"),
    Index("jobs_part_of", "part_of"),
)

shards = Table(
    "shards",
    metadata,
    Column("job", String(64), ForeignKey("jobs.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("first", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("succeeded", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("deduplicated", BigInteger, nullable=False, server_default="0"),
    Column("prompt_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cached_tokens", BigInteger, nullable=False, server_default="0"),
    Column("output_tokens", BigInteger, nullable=False, server_default="0"),
    *further_usage(),
    Column("done", Boolean, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("owner", String(64)),
    Column("lease_expires", Moment),
    Index("shards_open", "job", "done", "number"),
    Index("shards_of_owner", "owner"),
)

segments = Table(
    "segments",
    metadata,
    Column("job", String(64), primary_key=True),
    Column("shard", BigInteger, primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("committed_bytes", BigInteger, nullable=False),
    ForeignKeyConstraint(["job", "shard"], ["shards.job", "shards.number"]),
)

label_sums = Table(
    "label_sums",
    metadata,
    # What each shard of an unfinished job used under labels; see `store.rows.label_sums`.
    Column("job", String(64), primary_key=True),
    Column("shard", BigInteger, primary_key=True),
    Column("sums", LargeBinary, nullable=False),
    ForeignKeyConstraint(["job", "shard"], ["shards.job", "shards.number"]),
)

files = Table(
    "files",
    metadata,
    # A client may name its file: the same name in two projects is two files.
    Column("project", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("display_name", Text),
    Column("mime_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("source", String(16), nullable=False),
    Column("blob", Text, nullable=False),
    Column("purpose", String(32)),
    Column("origin", LargeBinary),
    # A deleted file is invisible; its row stays until its blob is gone.
    Column("deleted", Boolean, nullable=False),
    Index("files_of_project", "project", "created", "id"),
    Index("files_expiring", "expires"),
    Index("files_deleted", "deleted"),
)

caches = Table(
    "caches",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("model", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("display_name", Text),
    Column("tokens", BigInteger, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    # A GenerateContentRequest of what is put before requests, as JSON.
    Column("contents", LargeBinary, nullable=False),
    Index("caches_of_project", "project", "created", "id"),
    Index("caches_expiring", "expires"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id_hash", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    # Who began it: its bytes may come without a key.
    Column("actor", Text, nullable=False, server_default="server"),
    Column("file_id", String(64)),
    Column("display_name", Text),
    Column("mime_type", Text, nullable=False),
    Column("declared_bytes", BigInteger),
    Column("state", String(16), nullable=False),
    Column("result_file", String(64)),
    Column("created", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Index("uploads_of_project", "project", "state"),
    Index("uploads_expiring", "expires"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("project", String(64), nullable=False),
    Column("label", Text, nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("created", Moment, nullable=False),
    Column("revoked", Moment),
    Column("is_operator", Boolean, nullable=False, server_default=false()),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    # What a client's key has made; see `toplu.idempotency`.
    Column("project", String(64), primary_key=True),
    Column("creation", String(16), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("resource", String(64), nullable=False),
    Column("created", Moment, nullable=False),
    Index("idempotency_keys_created", "created"),
)

projects = Table(
    "projects",
    metadata,
    # Only those that were given a tier.
    Column("id", String(64), primary_key=True),
    Column("tier", String(64), nullable=False),
    Column("updated", Moment, nullable=False),
)

shares = Table(
    "shares",
    metadata,
    # How much of an engine each project had; see `store.rows.shares`.
    Column("engine", Text, primary_key=True),
    Column("project", String(64), primary_key=True),
    Column("weight", BigInteger, nullable=False),
    Column("served", BigInteger, nullable=False),
    Column("started", BigInteger, nullable=False),
    # So many of its last answers, and what they used.
    Column("answers", BigInteger, nullable=False, server_default="0"),
    Column("prompt_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cached_tokens", BigInteger, nullable=False, server_default="0"),
    Column("output_tokens", BigInteger, nullable=False, server_default="0"),
)

ledger = Table(
    "ledger",
    metadata,
    # A batch's entry has the id of its job, so that it cannot be written twice.
    Column("id", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("model", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("day", String(10), nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    *further_usage(),
    Column("currency", String(3), nullable=False),
    # The cost in two parts, of which neither outgrows 64 bits, nor do their sums.
    Column("cost_whole", BigInteger, nullable=False),
    Column("cost_units", BigInteger, nullable=False),
    Index("ledger_of_day", "day", "project", "model"),
)

ledger_labels = Table(
    "ledger_labels",
    metadata,
    # What requests with a label used, of what an entry of the ledger says.
    Column("entry", String(64), ForeignKey("ledger.id"), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("value", String(64), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    *further_usage(),
    Column("cost_whole", BigInteger, nullable=False),
    Column("cost_units", BigInteger, nullable=False),
)
