"""Inputs that are named by their address, through Google's SDK."""

import json
from collections.abc import Iterator
from typing import Any

import google.auth.credentials
import httpx2 as httpx
import pytest
from google.genai import errors, types

from support.address_server import HERE, AddressServer, Page
from support.api.batch_calls import asking, wait_until_final
from support.api.local_server import LocalServer, OpenServer, client_of, http_of
from support.pdf_files import pdf_of
from toplu.settings.outbound import InputSettings

FLASH = "gemini-2.5-flash"
LINES = [json.dumps({"key": f"k{n}", "request": asking(f"text {n}")}) for n in range(3)]
PAGES = {
    "/default/lines.jsonl": Page(
        body="\n".join(LINES).encode(),
        headers={"ETag": '"v7"', "Content-Type": "application/jsonl"},
    ),
    "/default/report.pdf": Page(body=pdf_of("Profits rose"), headers={"ETag": '"p1"'}),
    "/other/lines.jsonl": Page(body=LINES[0].encode()),
}


class Token(google.auth.credentials.Credentials):  # type: ignore[no-untyped-call]  # has no types
    """A credential as the SDK wants one; this server does not look at it."""

    def refresh(self, request: Any) -> None:  # noqa: ARG002  # the base class has it
        self.token = "of nobody"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[AddressServer]:
    with AddressServer(PAGES) as server:
        yield server


@pytest.fixture
def server(open_test_server: OpenServer, elsewhere: AddressServer) -> LocalServer:
    inputs = InputSettings(
        allow=(f"{elsewhere.url}/{{project}}/",), plain_http=True, allowed_networks=HERE
    )
    return open_test_server(inputs=inputs)


def test_a_batch_takes_its_input_from_an_address_and_its_receipt_has_the_etag(
    server: LocalServer, elsewhere: AddressServer, http: httpx.Client
) -> None:
    with client_of(server) as client:
        source = types.BatchJobSource(file_name=f"{elsewhere.url}/default/lines.jsonl?sig=s3cret")
        job = client.batches.create(model=FLASH, src=source)
        done = wait_until_final(client, job.name or "")
        assert done.dest is not None
        lines = client.files.download(file=done.dest.file_name or "").decode().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["k0", "k1", "k2"]
    receipt = http.get(f"/v1beta/{job.name}:receipt")
    assert receipt.json()["inputOrigin"] == {
        "uri": f"{elsewhere.url}/default/lines.jsonl",
        "etag": '"v7"',
    }
    assert "s3cret" not in receipt.text


def test_a_request_names_a_document_by_its_address(
    server: LocalServer, elsewhere: AddressServer
) -> None:
    part = types.Part.from_uri(
        file_uri=f"{elsewhere.url}/default/report.pdf", mime_type="application/pdf"
    )
    before = len(elsewhere.asked)
    with client_of(server) as client:
        answers = [
            client.models.generate_content(model=FLASH, contents=[part]).text for _ in range(3)
        ]
    shown = '<document type="application/pdf">\nProfits rose\n</document>'
    assert answers == [shown] * 3
    assert 1 <= len(elsewhere.asked) - before <= 3  # of each period of freshness one


def test_files_are_registered_and_used_like_uploaded_ones(
    server: LocalServer, elsewhere: AddressServer
) -> None:
    with client_of(server) as client:
        uris = [f"{elsewhere.url}/default/{name}" for name in ("report.pdf", "lines.jsonl")]
        registered = client.files.register_files(auth=Token(), uris=uris)
        files = registered.files or []
        assert [file.source for file in files] == [types.FileSource.REGISTERED] * 2
        assert [file.display_name for file in files] == ["report.pdf", "lines.jsonl"]
        answer = client.models.generate_content(model=FLASH, contents=[files[0]])
        assert "Profits rose" in (answer.text or "")
        job = client.batches.create(model=FLASH, src=files[1].name or "")
        assert wait_until_final(client, job.name or "").state is (
            types.JobState.JOB_STATE_SUCCEEDED
        )


def test_what_is_another_projects_is_not_fetched(
    server: LocalServer, elsewhere: AddressServer
) -> None:
    uri = f"{elsewhere.url}/other/lines.jsonl"
    before = len(elsewhere.asked)
    with client_of(server) as client:
        with pytest.raises(errors.ClientError, match=r"inputs\.allow") as raised:
            client.files.register_files(auth=Token(), uris=[uri])
        assert raised.value.code == 403
        with pytest.raises(errors.ClientError, match=r"inputs\.allow") as raised:
            client.batches.create(model=FLASH, src=types.BatchJobSource(file_name=uri))
        assert raised.value.code == 403
        part = types.Part.from_uri(file_uri=uri, mime_type="text/plain")
        with pytest.raises(errors.ClientError, match=r"inputs\.allow") as raised:
            client.models.generate_content(model=FLASH, contents=[part])
        assert raised.value.code == 400
    assert len(elsewhere.asked) == before


def test_nothing_is_fetched_unless_the_operator_lists_it(
    open_test_server: OpenServer, elsewhere: AddressServer
) -> None:
    with client_of(open_test_server()) as client, pytest.raises(errors.ClientError) as raised:
        client.files.register_files(auth=Token(), uris=[f"{elsewhere.url}/default/report.pdf"])
    assert raised.value.code == 403


def test_a_dry_run_fetches_nothing(server: LocalServer, elsewhere: AddressServer) -> None:
    before = len(elsewhere.asked)
    body = {"batch": {"inputConfig": {"fileName": f"{elsewhere.url}/default/lines.jsonl"}}}
    with http_of(server) as http:
        path = f"/v1beta/models/{FLASH}:batchGenerateContent?validateOnly=true"
        reply = http.post(path, json=body)
    assert reply.status_code == 400
    assert "files:register" in reply.text
    assert len(elsewhere.asked) == before
