"""Webhooks of a real server: its processes, its commands, both SDKs, and kill -9 in between."""

import json
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from standardwebhooks import Webhook as Verifier

from support.jobs import KEY, create_job, question, results_of
from support.model_tables import echo_model
from support.server import TOPLU, Server, clean_environment, started_server
from support.specification.examples import Examples, given
from support.waiting import PATIENCE_SECONDS, eventually
from support.webhooks.certificates import make_certificate
from support.webhooks.receiver import HANG, Receiver

pytestmark = pytest.mark.system

HERE = '[webhooks]\nplain_http = true\nallowed_networks = ["127.0.0.0/8"]\n'
TEXT, NUMBER = {"type": "string"}, {"type": "integer", "minimum": 0}
MAYBE = {"type": ["string", "null"]}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "webhooks": {
        "id": TEXT,
        "project": TEXT,
        "api": {"enum": ["gemini", "openai"]},
        "name": TEXT,
        "uri": TEXT,
        "events": {"type": "array", "items": TEXT},
        "state": {"enum": ["enabled", "disabled", "disabled_due_to_failed_deliveries"]},
        "created": TEXT,
        "updated": TEXT,
        "failing_since": MAYBE,
    },
    "deliveries": {
        "id": TEXT,
        "webhook": MAYBE,
        "event": TEXT,
        "batch": MAYBE,
        "uri": TEXT,
        "state": {"enum": ["waiting", "delivered", "failed"]},
        "attempts": NUMBER,
        "last_status": {"type": ["integer", "null"]},
        "last_error": MAYBE,
        "created": TEXT,
        "last_try": MAYBE,
        "next_try": MAYBE,
        "ended": MAYBE,
    },
}
JAVASCRIPT = """
import {GoogleGenAI} from '@google/genai';
const ai = new GoogleGenAI({apiKey: process.env.GEMINI_API_KEY});
const made = await ai.webhooks.create({
  name: 'mine', uri: RECEIVER, subscribed_events: ['batch.succeeded']});
console.log(made.id, made.new_signing_secret);
const changed = await ai.webhooks.update(made.id, {name: 'other', subscribed_events: EVENTS});
console.log(changed.name, changed.subscribed_events.join());
const listed = await ai.webhooks.list();
console.log(listed.webhooks.length, (await ai.webhooks.get(made.id)).state);
await ai.webhooks.ping(made.id);
const rotated = await ai.webhooks.rotateSigningSecret(made.id, {
  revocation_behavior: 'revoke_previous_secrets_after_h24'});
console.log(rotated.secret);
"""


def toplu(server: Server, *words: Any, code: int = 0) -> str:
    options = ("--config", server.data_dir.with_name(f"{server.data_dir.name}.toml"))
    ended = subprocess.run(
        [str(TOPLU), "webhooks", *map(str, words), "--data-dir", server.data_dir, *options],
        capture_output=True,
        check=False,
        env=clean_environment(),
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended.stdout if code == 0 else ended.stderr


def listed(server: Server, name: str, *words: Any) -> list[dict[str, Any]]:
    document = json.loads(toplu(server, *words, "--json"))
    entry = {
        "type": "object",
        "properties": DOCUMENTS[name],
        "required": list(DOCUMENTS[name]),
        "additionalProperties": False,
    }
    jsonschema.validate(document, {"properties": {name: {"type": "array", "items": entry}}})
    found: list[dict[str, Any]] = document[name]
    return found


def test_what_was_not_answered_at_a_kill_is_delivered_afterwards(tmp_path: Path) -> None:
    with (
        Receiver(HANG, 200) as receiver,
        started_server(tmp_path, config=HERE + echo_model(), workers=1) as server,
    ):
        body = {"uri": receiver.uri, "subscribed_events": ["batch.succeeded"]}
        made = server.call("POST", "/v1beta/webhooks", body).json()
        name = create_job(server, [question(0)])
        (first,) = receiver.wait_for(1)
        # The final state is durable, and the receiver has said nothing.
        server.kill()
        server.start()
        second = receiver.wait_for(2)[1]
        results_of(server, name)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    event = Verifier(made["new_signing_secret"]).verify(second.body, second.headers)
    assert event["data"]["id"] == name


def test_a_receiver_is_told_over_tls_if_its_certificate_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, trusted = make_certificate(tmp_path / "trusted")
    _, untrusted = make_certificate(tmp_path / "untrusted")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    config = HERE.replace("plain_http = true\n", "") + echo_model()
    with (
        Receiver(tls=trusted) as one,
        Receiver(tls=untrusted) as other,
        started_server(tmp_path, config=config) as server,
    ):
        for receiver in (one, other):
            body = {"uri": receiver.uri, "subscribed_events": ["batch.succeeded"]}
            assert server.call("POST", "/v1beta/webhooks", body).status == 200
        results_of(server, create_job(server, [question(0)]))
        one.wait_for(1)

        def failed() -> str | None:
            found = server.call("GET", "/v1beta/webhooks/-/deliveries").json()["deliveries"]
            return next((it["last_error"] for it in found if "last_error" in it), None)

        assert "certificate verify failed" in eventually(failed)
        assert other.received == []


def test_the_commands_look_after_webhooks_beside_a_server(tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        started_server(tmp_path, config=HERE + echo_model()) as server,
    ):
        made = json.loads(toplu(server, "create", receiver.uri, "--name", "mine", "--json"))
        webhook, secret = made["id"], made["secret"]
        (record,) = listed(server, "webhooks", "list")
        assert record == {name: value for name, value in made.items() if name != "secret"}
        toplu(server, "ping", webhook)
        (ping,) = receiver.wait_for(1)
        Verifier(secret).verify(ping.body, ping.headers)

        new = toplu(server, "rotate", webhook).strip()
        key_file = server.data_dir / "webhooks.key"
        before = key_file.read_bytes()
        assert toplu(server, "rekey") == "sealed 2 again\n"
        assert key_file.read_bytes() != before
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        results_of(server, create_job(server, [question(0)]))
        (_, told) = receiver.wait_for(2)
        for each in (secret, new):
            assert Verifier(each).verify(told.body, told.headers)["type"] == "batch.succeeded"

        def settled() -> dict[str, Any] | None:
            newest = listed(server, "deliveries", "deliveries", webhook)[0]
            return newest if newest["state"] == "delivered" else None

        delivery = eventually(settled)
        toplu(server, "resend", delivery["id"])
        again = receiver.wait_for(3)[2]
        assert again.headers["webhook-id"] == delivery["id"] == told.headers["webhook-id"]

        shown = json.loads(toplu(server, "get", webhook, "--json"))
        assert [it["ends_with"] for it in shown["secrets"]] == [new[-5:-1], secret[-5:-1]]
        assert "secret" not in toplu(server, "list")
        toplu(server, "disable", webhook)
        assert listed(server, "webhooks", "list")[0]["state"] == "disabled"
        assert "enable it first" in toplu(server, "resend", delivery["id"], code=2)
        toplu(server, "enable", webhook)
        toplu(server, "delete", webhook)
        assert listed(server, "webhooks", "list") == []
        assert "not found" in toplu(server, "get", webhook, code=2)
        assert "is not a public address" in toplu(server, "create", "https://10.0.0.1/", code=2)


def test_a_restored_folder_tells_on_with_the_key_that_no_backup_has(tmp_path: Path) -> None:
    copy, restored = tmp_path / "copy", tmp_path / "restored"
    with (
        Receiver() as receiver,
        started_server(tmp_path, config=HERE + echo_model()) as server,
    ):
        body = {"uri": receiver.uri, "subscribed_events": ["batch.succeeded"]}
        made = server.call("POST", "/v1beta/webhooks", body).json()
        server.stop()
        for words in (("backup", copy), ("restore", copy)):
            target = server.data_dir if words[0] == "backup" else restored
            command = [str(TOPLU), *map(str, words), "--data-dir", str(target)]
            subprocess.run(command, check=True, env=clean_environment(), timeout=PATIENCE_SECONDS)
        secret = made["new_signing_secret"].encode()
        for path in copy.rglob("*"):
            assert path.name != "webhooks.key"
            assert path.is_dir() or secret not in path.read_bytes()
        shutil.copy2(server.data_dir / "webhooks.key", restored / "webhooks.key")
        with Server(restored, {}, HERE + echo_model()) as again:
            again.start()
            results_of(again, create_job(again, [question(0)]))
            (received,) = receiver.wait_for(1)
    Verifier(made["new_signing_secret"]).verify(received.body, received.headers)


@pytest.mark.model
def test_google_s_javascript_sdk_manages_webhooks(tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        started_server(tmp_path, config=HERE + echo_model()) as server,
    ):
        (tmp_path / "scripts").mkdir()
        examples = Examples(language="javascript", server=server, workplace=tmp_path / "scripts")
        script = JAVASCRIPT.replace("RECEIVER", json.dumps(receiver.uri)).replace(
            "EVENTS", '["batch.failed"]'
        )
        made, changed, seen, secret = examples.run(given(script)).stdout.splitlines()
        webhook, old = made.split(" ")
        assert changed == "other batch.failed"
        assert seen == "1 enabled"
        receiver.wait_for(1)
        reply = server.call("POST", f"/v1beta/webhooks/{webhook}:ping", {}, key=KEY)
        assert reply.status == 200
        received = receiver.wait_for(2)[1]
        for each in (old, secret):
            Verifier(each).verify(received.body, received.headers)
