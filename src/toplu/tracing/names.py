"""The names of attributes, in one place: those of generative models still change.

OpenTelemetry's semantic conventions, GenAI and HTTP; ours begin with `toplu.`.
"""

SERVICE = "toplu"

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
INPUT_MESSAGES = "gen_ai.input.messages"  # only where contents are asked for
OUTPUT_MESSAGES = "gen_ai.output.messages"

# Values of OPERATION.
CHAT, TEXT_COMPLETION, EMBEDDINGS = "chat", "text_completion", "embeddings"

METHOD = "http.request.method"
ROUTE = "http.route"
STATUS = "http.response.status_code"
SERVER = "server.address"

PROJECT = "toplu.project"
JOB = "toplu.job"
SHARD = "toplu.shard"
REQUESTS = "toplu.requests"
ENGINE = "toplu.engine"
LANE = "toplu.lane"
