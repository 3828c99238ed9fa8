"""Digests are equal where the answer is the same, whatever it is called."""

from dataclasses import dataclass, field, replace
from typing import Any, cast

import msgspec
import pytest

from support.fake_clock import NOON
from support.store.rows import PROJECT, a_file, a_job
from toplu.batch.provenance.model_facts import ModelFacts
from toplu.batch.reuse.request_digest import AnyRequest, request_digest
from toplu.errors import PermissionDenied
from toplu.files.library import Library, StoredFile
from toplu.job import Method
from toplu.settings.model import ModelSettings
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.embedding import EmbedContentRequest

FACTS = ModelFacts(
    engine="echo", build="1", model_sha256="a", template_sha256="b", settings_sha256="c"
)
MODEL = ModelSettings(name="echo", engine="echo")
JOB = a_job()
GREEDY = {"temperature": 0}


@dataclass
class Files:
    """A library with some files, by name."""

    files: dict[str, StoredFile] = field(default_factory=dict)

    async def get(self, project: str, name: str) -> StoredFile:
        assert project == PROJECT
        if name not in self.files:
            raise PermissionDenied("no such file")
        return self.files[name]


LIBRARY = Files(
    {
        "files/one": replace(a_file("one"), sha256="1" * 64),
        "files/same": replace(a_file("same"), sha256="1" * 64),
        "files/other": replace(a_file("other"), sha256="2" * 64),
    }
)


async def digest_of(
    request: AnyRequest, job: Any = JOB, model: ModelSettings = MODEL, facts: ModelFacts = FACTS
) -> bytes | None:
    return await request_digest(
        job, request, model=model, facts=facts, library=cast("Library", LIBRARY)
    )


def asked(text: str = "hello", *, config: Any = GREEDY, **more: Any) -> GenerateContentRequest:
    request = {"contents": [{"parts": [{"text": text}]}], "generationConfig": config} | more
    return msgspec.convert(request, GenerateContentRequest)


def about(uri: str, **more: Any) -> GenerateContentRequest:
    parts = [{"text": "what is this?"}, {"fileData": {"fileUri": uri} | more}]
    return asked(contents=[{"parts": parts}])


async def test_the_same_request_has_the_same_digest() -> None:
    assert await digest_of(asked()) == await digest_of(asked())
    labelled = asked(labels={"team": "a"}, model=f"models/{JOB.model}")
    assert await digest_of(asked()) == await digest_of(labelled)


@pytest.mark.parametrize(
    "request_",
    [
        asked("hello "),
        asked(config={"temperature": 0, "maxOutputTokens": 5}),
        asked(config={"temperature": 0, "seed": 1}),
        asked(systemInstruction={"parts": [{"text": "s"}]}),
        asked(cachedContent="cachedContents/one"),
    ],
)
async def test_a_request_that_differs_has_another(request_: GenerateContentRequest) -> None:
    assert await digest_of(request_) not in (None, await digest_of(asked()))


async def test_what_is_behind_the_name_of_the_model_counts() -> None:
    digest = await digest_of(asked())
    for name in ("engine", "build", "model_sha256", "template_sha256", "settings_sha256"):
        facts = msgspec.structs.replace(FACTS, **{name: "x"})
        assert await digest_of(asked(), facts=facts) != digest
    assert await digest_of(asked(), job=replace(JOB, model="gemini-2.5-pro")) != digest


async def test_a_request_that_may_be_answered_in_other_ways_has_none() -> None:
    assert await digest_of(asked(config={"temperature": 1})) is None
    assert await digest_of(asked(config=None)) is None
    cold = msgspec.structs.replace(MODEL, temperature=0.0)
    assert await digest_of(asked(config=None), model=cold) is not None
    assert await digest_of(asked(tools=[{"googleSearch": {}}])) is None


async def test_a_file_is_known_by_its_contents() -> None:
    digest = await digest_of(about("files/one"))
    assert digest is not None
    assert await digest_of(about("files/same")) == digest
    assert await digest_of(about("files/other")) != digest
    assert await digest_of(about("files/one", mimeType="text/html")) != digest
    assert await digest_of(about("files/one", displayName="a.txt")) != digest


async def test_what_nobody_can_vouch_for_has_none() -> None:
    assert await digest_of(about("files/gone")) is None
    assert await digest_of(about("https://example.com/report.pdf")) is None
    assert await digest_of(about("gs://bucket/report.pdf")) is None


async def test_embeddings_have_digests_too() -> None:
    job = replace(JOB, method=Method.EMBED, created=NOON)

    def embedding(text: str) -> EmbedContentRequest:
        return msgspec.convert({"content": {"parts": [{"text": text}]}}, EmbedContentRequest)

    digest = await digest_of(embedding("a"), job=job)
    assert digest is not None
    assert digest == await digest_of(embedding("a"), job=job)
    assert digest != await digest_of(embedding("b"), job=job)
