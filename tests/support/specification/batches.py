"""The batches as the server itself has them, for comparison with what a script printed."""

from typing import Any

from support.server import Server
from support.waiting import PATIENCE_SECONDS

# Short answers keep the suite short: every example asks for as much as the model may write.
ANSWER_TOKENS = 96
LONG_JOB_REQUESTS = 500


class Batches:
    """The batches of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def get(self, name: str) -> dict[str, Any]:
        reply = self._server.call("GET", f"/v1beta/{name}")
        assert reply.status == 200, reply.body
        operation: dict[str, Any] = reply.json()
        return operation

    def state(self, name: str) -> str:
        return str(self.get(name)["metadata"]["state"])

    def finished(self, name: str) -> dict[str, Any]:
        """Return the operation once it is done."""
        self._server.wait_until(lambda: self.get(name)["done"], PATIENCE_SECONDS, f"{name} to end")
        return self.get(name)

    def names(self) -> list[str]:
        reply = self._server.call("GET", "/v1beta/batches?pageSize=100")
        return [operation["name"] for operation in reply.json().get("operations", [])]

    def create_long(self) -> str:
        """Return the name of a batch that runs and has far to go."""
        texts = [f"Count from {index} to one thousand." for index in range(LONG_JOB_REQUESTS)]
        requests = [{"request": {"contents": [{"parts": [{"text": text}]}]}} for text in texts]
        batch = {"displayName": "long", "inputConfig": {"requests": {"requests": requests}}}
        path = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
        reply = self._server.call("POST", path, {"batch": batch})
        assert reply.status == 200, reply.body
        name = str(reply.json()["name"])
        self._server.wait_until(
            lambda: self.state(name) == "JOB_STATE_RUNNING", PATIENCE_SECONDS, "the long job to run"
        )
        return name

    def check_neko_was_told(self, result: dict[str, Any]) -> None:
        """The prompt of the poem about a cat has as many tokens as one with its instruction."""
        question = {"contents": [{"parts": [{"text": "Write a short poem about a cat."}]}]}
        neko = {"systemInstruction": {"parts": [{"text": "You are a cat. Your name is Neko."}]}}
        tokens = result["response"]["usageMetadata"]["promptTokenCount"]
        assert tokens == self._count_tokens(question | neko)
        assert tokens != self._count_tokens(question)

    def _count_tokens(self, request: dict[str, Any]) -> int:
        body = {"generateContentRequest": {"model": "models/gemini-2.5-flash"} | request}
        reply = self._server.call("POST", "/v1beta/models/gemini-2.5-flash:countTokens", body)
        assert reply.status == 200, reply.body
        return int(reply.json()["totalTokens"])
