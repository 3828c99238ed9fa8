"""`:pause` and `:resume`: nothing more of a batch begins, and then it goes on where it was."""

import json
from contextlib import closing

from msgspec.structs import replace

from support.api.batch_calls import asking, create_from_file, finish, operation, upload_lines
from support.api.local_server import ECHO, OpenServer, client_of, http_of
from support.api.openai_batches import chat_line, create
from support.api.openai_batches import finish as finish_openai
from support.api.openai_calls import openai_client, openai_http
from support.api.pages import page_of
from support.waiting import eventually
from toplu.settings.model import EchoSettings

# A lane that takes a while for a word, so that a batch is paused in the midst of its lines.
ONE_LANE = replace(ECHO, lanes=1, echo=EchoSettings(word_seconds=0.01))


def lines(count: int) -> list[bytes]:
    return [
        json.dumps({"key": f"k{index}", "request": asking(f"text {index}")}).encode()
        for index in range(count)
    ]


def test_a_paused_batch_stands_still_and_then_goes_on(
    open_test_server: OpenServer,
) -> None:
    server = open_test_server(models=(ONE_LANE,), commit_seconds=0.001)
    with http_of(server) as http, closing(client_of(server)) as client:
        name = create_from_file(http, upload_lines(http, lines(500))).json()["name"]

        def done() -> int:
            stats = operation(http, name)["metadata"].get("batchStats", {})
            return int(stats.get("successfulRequestCount", 0))

        eventually(done)
        paused = http.post(f"/v1beta/{name}:pause", headers={"X-Toplu-State-Style": "job"})
        assert paused.json()["metadata"]["state"] == "JOB_STATE_PAUSED"
        assert http.post(f"/v1beta/{name}:pause").status_code == 200
        job = client.batches.get(name=name)
        assert job.state is not None
        assert job.state.name == "JOB_STATE_PAUSED"
        plain = http.get(f"/v1beta/{name}", headers={"X-Toplu-State-Style": "batch"}).json()
        assert plain["metadata"]["state"] == "BATCH_STATE_PENDING"
        assert plain["metadata"]["paused"] is True
        # What ran is finished: then every lane is free for another batch, which ends.
        other = create_from_file(http, upload_lines(http, lines(1))).json()["name"]
        finish(http, other)
        still = done()
        assert 0 < still < 500
        metadata = operation(http, name)["metadata"]
        assert metadata["toplu"]["waiting"]["reason"] == "PAUSED"
        assert "expectedFinish" not in metadata["toplu"]
        finish(http, create_from_file(http, upload_lines(http, lines(2))).json()["name"])
        assert done() == still
        http.post(f"/v1beta/{name}:resume")
        assert "paused" not in operation(http, name)["metadata"]
        assert finish(http, name)["metadata"]["batchStats"]["successfulRequestCount"] == "500"
        refused = http.post(f"/v1beta/{name}:pause")
        assert refused.json()["error"]["status"] == "FAILED_PRECONDITION"
        assert http.post("/v1beta/batches/none:pause").status_code == 404


def test_the_other_api_and_the_page_pause_as_well(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(ONE_LANE,))
    with openai_client(server) as sdk, openai_http(server) as http, page_of(server) as page:
        batch = create(sdk, [chat_line(f"c{n}", "x " * 50) for n in range(20)])
        paused = http.post(f"/batches/{batch.id}/pause").json()
        assert paused["status"] in {"validating", "in_progress"}
        assert paused["toplu"]["paused"] is True
        path = f"/ui/batches/{batch.id.removeprefix('batch_')}"
        eventually(lambda: "The batch is paused" in page.text(path))
        assert "Resume" in page.text(path)
        page.send(f"{path}/resume")
        assert "Pause" in page.text(path)
        page.send(f"{path}/pause")
        resumed = http.post(f"/batches/{batch.id}/resume").json()
        assert "paused" not in resumed["toplu"]
        assert finish_openai(sdk, batch).request_counts.completed == 20
