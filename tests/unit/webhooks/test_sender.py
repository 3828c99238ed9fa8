"""A try reaches nothing but what may be told, however its address is written."""

import pytest

from support.webhooks.receiver import Receiver, Said
from toplu.settings.outbound import WebhookSettings
from toplu.webhooks.sender import Answer, Sender

# Every one of them is this machine, to one parser or another.
LOOPBACK = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "localhost",
    "LOCALHOST.",
    "x.localhost",
    "127.0.0.1.",
    "\uff11\uff12\uff17.0.0.1",
)


@pytest.mark.parametrize("host", LOOPBACK)
async def test_this_machine_is_not_told_by_any_of_its_names(host: str) -> None:
    sender = Sender(WebhookSettings(plain_http=True))
    with Receiver() as receiver:
        answer = await sender.post(f"http://{host}:{receiver.port}/hook", b"{}", {})
        assert receiver.received == []
    assert answer.status is None
    assert answer.reason


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Sender(WebhookSettings(plain_http=True, allowed_networks=("127.0.0.0/8",)))
    with Receiver() as proxy, Receiver(204) as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.uri)
        answer = await sender.post(receiver.uri, b"{}", {"webhook-id": "msg_1"})
        assert proxy.received == []
        (received,) = receiver.received
    assert answer == Answer(status=204)
    assert received.headers["webhook-id"] == "msg_1"
    assert received.headers["user-agent"].startswith("toplu/")


async def test_a_cookie_is_not_kept() -> None:
    sender = Sender(WebhookSettings(plain_http=True, allowed_networks=("127.0.0.0/8",)))
    with Receiver(Said(200, (("Set-Cookie", "a=b; Path=/"),))) as receiver:
        for _ in range(2):
            await sender.post(receiver.uri, b"{}", {})
        assert "cookie" not in receiver.received[1].headers


async def test_what_is_not_http_is_a_failure_like_another() -> None:
    sender = Sender(WebhookSettings(plain_http=True, allowed_networks=("127.0.0.0/8",)))
    with Receiver(Said(200, (("X", "y" * 100_000),))) as receiver:
        answer = await sender.post(receiver.uri, b"{}", {})
    assert answer.status is None
    assert answer.reason
