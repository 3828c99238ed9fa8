"""COMPATIBILITY.md names every field of google-genai's types, and says what is true of it."""

from enum import Enum

import google.genai.chats
import google.genai.client
import msgspec
import pytest
from google.genai import types
from google.genai._gaos.webhooks import Webhooks

from support.api.field_rows import PAGE, SERVED, STATUSES, Row, fields_of, reached, read_rows
from toplu.engines.translation import supported_fields
from toplu.wire.gemini import (
    cached_content,
    content,
    embedding,
    file,
    grounding,
    logprobs,
    model,
    schema,
    thinking,
)
from toplu.wire.gemini.tool import (
    Behavior,
    FunctionCallingConfig,
    FunctionDeclaration,
    FunctionResponse,
    GoogleSearch,
    GoogleSearchRetrieval,
    Mode,
    Scheduling,
    Tool,
    ToolConfig,
)

METHODS, ROWS = read_rows(PAGE.read_text(encoding="utf-8"))
KINDS = reached(ROWS)


def statuses(type_name: str) -> dict[str, str]:
    """Return what the page says of each field of the type."""
    return {
        field: row.status
        for field in fields_of(KINDS[type_name])
        for row in ROWS
        if row.names(type_name, field)
    }


def test_every_field_has_exactly_one_row() -> None:
    counts = {
        f"{name}.{field}": sum(row.names(name, field) for row in ROWS)
        for name, kind in KINDS.items()
        for field in fields_of(kind)
    }
    assert {place: count for place, count in counts.items() if count != 1} == {}


def test_every_row_names_fields_that_exist_and_says_what_is_done() -> None:
    assert len(ROWS) > 50
    for row in ROWS:
        assert row.status in STATUSES, row
        assert row.fields, row
        for name in row.type_names:
            for field in row.fields:
                kinds = KINDS.values() if name == "*" else [KINDS.get(name)]
                assert any(kind and field in fields_of(kind) for kind in kinds), (name, field)


def test_a_field_without_a_row_and_a_row_without_a_field_are_found() -> None:
    assert types.ThinkingConfig.__name__ in KINDS
    fewer = [row for row in ROWS if "thinkingLevel" not in row.fields]
    assert not any(row.names("ThinkingConfig", "thinkingLevel") for row in fewer)
    # What is refused is not looked into.
    assert "SpeechConfig" not in KINDS
    more = [*ROWS, Row(type_names=("Tool",), fields=("mcpServers",), status="yes")]
    assert "McpServer" in reached(more)


# The other modules are named as a whole.
MODULES = {
    "models": google.genai.models.Models,
    "chats": google.genai.chats.Chats,
    "batches": google.genai.batches.Batches,
    "files": google.genai.files.Files,
    "caches": google.genai.caches.Caches,
    "webhooks": Webhooks,
}
WAYS_TO_CALL = {"with_raw_response", "with_streaming_response"}
OF_THE_CLIENT = {"aio", "close", "vertexai", "credentials"}


def test_every_method_of_the_sdk_has_exactly_one_row() -> None:
    methods = {
        f"{module}.{name}": sum(row.names(module, name) for row in METHODS)
        for module, kind in MODULES.items()
        for name in vars(kind)
        if not name.startswith("_") and name not in WAYS_TO_CALL
    }
    assert len(methods) > 20
    assert {place: count for place, count in methods.items() if count != 1} == {}
    said = {f"{name}.{each}" for row in METHODS for name in row.type_names for each in row.fields}
    assert said == set(methods)


def test_every_module_of_the_sdk_is_named() -> None:
    clients = (google.genai.Client, google.genai.client.AsyncClient)
    modules = {name for client in clients for name in dir(client) if not name.startswith("_")}
    named = {name for row in METHODS for name in row.type_names}
    assert named == modules - OF_THE_CLIENT - {"aclose"}


# Read before the prompt is, by `files.attachments`.
READ_EARLIER = {"Part.inlineData", "Part.fileData"}
REQUESTS: dict[str, tuple[type[msgspec.Struct], ...]] = {
    # The SDK's type is both in one.
    "GenerateContentConfig": (content.GenerateContentRequest, content.GenerationConfig),
    "GenerationConfig": (content.GenerationConfig,),
    "Content": (content.Content,),
    "Part": (content.Part,),
    "Tool": (Tool,),
    "ToolConfig": (ToolConfig,),
    "FunctionCallingConfig": (FunctionCallingConfig,),
    "FunctionDeclaration": (FunctionDeclaration,),
    "FunctionResponse": (FunctionResponse,),
    "GoogleSearch": (GoogleSearch,),
    "GoogleSearchRetrieval": (GoogleSearchRetrieval,),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_table_of_requests_is_what_the_server_does(name: str) -> None:
    known, accepted, sometimes = set(), set(), set()
    for kind in REQUESTS[name]:
        wire = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
        known |= set(wire.values())
        accepted |= {wire[field] for field in supported_fields.SERVED[kind]}
        sometimes |= {wire[field] for field in supported_fields.HARMLESS.get(kind, {})}
    for field, status in statuses(name).items():
        if status in SERVED:
            assert field in accepted | sometimes or f"{name}.{field}" in READ_EARLIER, field
        else:
            assert field not in accepted, field
            # What the SDK can send is refused by name, not as something unknown.
            assert status != "no" or field in known, field


# By the SDK's name; a value that is not known would cost its request the answer.
ENUMS = {
    types.HarmCategory: content.HarmCategory,
    types.HarmBlockThreshold: content.HarmBlockThreshold,
    types.ServiceTier: content.ServiceTier,
    types.MediaResolution: content.MediaResolution,
    types.PartMediaResolutionLevel: content.MediaResolution,
    types.Modality: content.ResponseModality,
    types.ThinkingLevel: thinking.ThinkingLevel,
    types.FunctionCallingConfigMode: Mode,
    types.Behavior: Behavior,
    types.FunctionResponseScheduling: Scheduling,
    types.Type: schema.Type,
}


@pytest.mark.parametrize("kind", ENUMS, ids=lambda kind: kind.__name__)
def test_every_value_that_the_sdk_can_send_is_known(kind: type[Enum]) -> None:
    assert {each.value for each in kind} <= {each.value for each in ENUMS[kind]}


RESPONSES: dict[str, tuple[type[msgspec.Struct], dict[str, str]]] = {
    "GenerateContentResponse": (content.GenerateContentResponse, {}),
    "Candidate": (content.Candidate, {}),
    "GenerateContentResponseUsageMetadata": (content.UsageMetadata, {}),
    "ModalityTokenCount": (content.ModalityTokenCount, {}),
    "CountTokensResponse": (content.CountTokensResponse, {}),
    "GroundingMetadata": (grounding.GroundingMetadata, {}),
    "GroundingChunk": (grounding.GroundingChunk, {}),
    "GroundingChunkWeb": (grounding.WebChunk, {}),
    "GroundingSupport": (grounding.GroundingSupport, {}),
    "Segment": (grounding.Segment, {}),
    "SearchEntryPoint": (grounding.SearchEntryPoint, {}),
    "LogprobsResult": (logprobs.LogprobsResult, {}),
    "LogprobsResultCandidate": (logprobs.LogprobsCandidate, {}),
    "LogprobsResultTopCandidates": (logprobs.TopCandidates, {}),
    "EmbedContentResponse": (embedding.BatchEmbedContentsResponse, {}),
    "ContentEmbedding": (embedding.ContentEmbedding, {}),
    "File": (file.File, {}),
    "ListFilesResponse": (file.ListFilesResponse, {}),
    "Model": (model.Model, {"supportedActions": "supportedGenerationMethods"}),
    "ListModelsResponse": (model.ListModelsResponse, {}),
    "CreateCachedContentConfig": (cached_content.CachedContent, {}),
    "UpdateCachedContentConfig": (cached_content.CachedContent, {}),
    "CachedContent": (cached_content.CachedContent, {}),
    "CachedContentUsageMetadata": (cached_content.CachedContentUsage, {}),
    "ListCachedContentsResponse": (cached_content.ListCachedContentsResponse, {}),
    "Schema": (schema.Schema, {}),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_the_table_of_messages_is_what_the_server_knows_of_them(name: str) -> None:
    kind, wire_names = RESPONSES[name]
    known = set(kind.__struct_encode_fields__)
    said = statuses(name)
    listed = {wire_names.get(field, field) for field, status in said.items() if status in SERVED}
    # On the wire there is more than the SDK's types have.
    assert listed <= known
    assert not {field for field, status in said.items() if status not in SERVED} & known
