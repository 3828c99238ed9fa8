"""Two projects on one server: neither sees, reads or ends what is the other's."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from support.jobs import create_job_from, json_lines, question, results_of, upload
from support.model_tables import echo_model
from support.server import TOPLU, Reply, Server, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.system


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A project with a key, a file, a finished batch and its results file."""

    key: str
    file: str
    job: str
    results_file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A server with two projects on it."""

    server: Server
    first: Tenant
    second: Tenant


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    with started_server(folder, config=echo_model()) as server:
        first, second = (create_key(server, project) for project in ("first", "second"))
        yield Town(server=server, first=move_in(server, first), second=move_in(server, second))


def create_key(server: Server, project: str) -> str:
    command = [str(TOPLU), "keys", "create", "--project", project]
    made = subprocess.run(
        [*command, "--data-dir", str(server.data_dir)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    key = made.stdout.strip()
    assert len(key.split()) == 1, made.stdout
    server.wait_until(
        lambda: server.call("GET", "/v1beta/files", key=key).status == 200,
        PATIENCE_SECONDS,
        "the new key to be known",
    )
    return key


def move_in(server: Server, key: str) -> Tenant:
    file = upload(server, json_lines([question(index) for index in range(3)]), key=key)
    job = create_job_from(server, file, key=key)
    assert len(results_of(server, job, key=key)) == 3
    operation = server.call("GET", f"/v1beta/{job}", key=key).json()
    return Tenant(key=key, file=file, job=job, results_file=operation["response"]["responsesFile"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1beta/{file}"),
        ("DELETE", "/v1beta/{file}"),
        ("GET", "/v1beta/{file}:download?alt=media"),
        ("GET", "/download/v1beta/{file}:download?alt=media"),
    ],
)
@pytest.mark.parametrize("which", ["file", "results_file"])
def test_a_foreign_file_looks_like_a_missing_one(
    town: Town, method: str, path: str, which: str
) -> None:
    file = getattr(town.first, which)
    foreign = town.server.call(method, path.format(file=file), key=town.second.key)
    check_denied(foreign, file.removeprefix("files/"))
    missing = town.server.call(method, path.format(file="files/missing"), key=town.second.key)
    check_denied(missing, "missing")
    assert town.server.call("GET", f"/v1beta/{file}", key=town.first.key).status == 200


def check_denied(reply: Reply, file_id: str) -> None:
    assert reply.status == 403
    assert reply.json()["error"] == {
        "code": 403,
        "message": f"You do not have permission to access the File {file_id} or it may not exist.",
        "status": "PERMISSION_DENIED",
    }


@pytest.mark.parametrize(
    ("method", "suffix"), [("GET", ""), ("DELETE", ""), ("POST", ":cancel"), ("GET", ":delete")]
)
def test_a_foreign_batch_looks_like_a_missing_one(town: Town, method: str, suffix: str) -> None:
    path = f"/v1beta/{town.first.job}{suffix}"
    foreign = town.server.call(method, path, key=town.second.key)
    assert foreign.status == 404
    missing_path = f"/v1beta/batches/missing{suffix}"
    missing = town.server.call(method, missing_path, key=town.second.key)
    asked, other = town.first.job, "batches/missing"
    assert foreign.body.replace(asked.encode(), other.encode()) == missing.body
    mine = town.server.call("GET", f"/v1beta/{town.first.job}", key=town.first.key)
    assert mine.json()["metadata"]["state"] == "JOB_STATE_SUCCEEDED"


def test_a_foreign_file_cannot_be_the_input_of_a_batch(town: Town) -> None:
    batch = {"displayName": "theft", "inputConfig": {"fileName": town.first.file}}
    path = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
    reply = town.server.call("POST", path, {"batch": batch}, key=town.second.key)
    check_denied(reply, town.first.file.removeprefix("files/"))


def test_lists_show_only_what_is_ones_own(town: Town) -> None:
    for tenant in (town.first, town.second):
        files = town.server.call("GET", "/v1beta/files", key=tenant.key).json()["files"]
        assert {file["name"] for file in files} == {tenant.file, tenant.results_file}
        batches = town.server.call("GET", "/v1beta/batches", key=tenant.key).json()["operations"]
        assert [batch["name"] for batch in batches] == [tenant.job]


def test_once_there_is_a_key_no_other_opens_the_api(town: Town) -> None:
    reply = town.server.call("GET", "/v1beta/files", key="any-key")
    assert reply.status == 400
    assert reply.json()["error"]["message"] == "API key not valid. Please pass a valid API key."
