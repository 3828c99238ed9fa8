"""`toplu batches verify`: runs a sample of a batch again, and compares the answers."""

import json
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from toplu.cli.upload import upload
from toplu.cli.watch import watch
from toplu.errors import FailedPrecondition
from toplu.wire.gemini.line_splitter import whole_lines

if TYPE_CHECKING:
    from toplu.cli.client import Client

METHODS = ("batchGenerateContent", "asyncBatchEmbedContent")
# Of a candidate: what is its own, and not the model's.
CALL_ID = "id"


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome: how many answers of how many are equal, and which are not."""

    sample: int
    differing: list[int]  # numbers of the lines

    @property
    def equal(self) -> int:
        return self.sample - len(self.differing)


async def verify(client: "Client", path: str, sample: int) -> Verified:
    """Run some lines of the batch again, as a batch of their own, which is deleted then."""
    found = (await client.call("GET", path))["metadata"]
    file = found.get("inputConfig", {}).get("fileName")
    if file is None:
        raise FailedPrecondition(f"{path} came inline: a sample is run again of the file alone.")
    answers = await _answers(client, path, sample)
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "sample.jsonl"
        await _write_lines(client, file, set(answers), lines)
        uploaded = await upload(client, lines, sent=lambda _, __: None)
    again = await _run(client, found["model"], uploaded, METHODS["Embed" in found["@type"]])
    second = await _answers(client, again, sample)
    numbers = sorted(answers)
    differing = [
        number
        for place, number in enumerate(numbers, start=1)
        if place not in second or _said(answers[number]) != _said(second[place])
    ]
    for gone in (again, uploaded):
        await client.call("DELETE", gone)
    return Verified(len(numbers), differing)


async def _answers(client: "Client", path: str, sample: int) -> dict[int, dict[str, Any]]:
    """Return so many responses of the batch, any of them, by the numbers of their lines."""
    chosen: list[dict[str, Any]] = []
    seen = 0
    async with client.lines(f"{path}:results") as answer:
        async for lines in whole_lines(answer.content.iter_any()):
            for result in map(json.loads, lines):
                if "response" not in result:
                    continue
                seen += 1
                if len(chosen) < sample:
                    chosen.append(result)
                elif (place := random.randrange(seen)) < sample:  # noqa: S311  # any lines will do
                    chosen[place] = result
    return {result["line"]: result["response"] for result in chosen}


async def _write_lines(client: "Client", file: str, numbers: set[int], path: Path) -> None:
    """Write the lines with these numbers; blank ones have none."""
    number = 0
    with path.open("wb") as target:
        async with client.lines(f"{file}:download?alt=media") as answer:
            async for lines in whole_lines(answer.content.iter_any()):
                for line in filter(bytes.strip, lines):
                    number += 1
                    if number in numbers:
                        target.write(line + b"\n")


async def _run(client: "Client", model: str, file: str, method: str) -> str:
    """Return the name of a batch of the file that has ended."""
    created = await client.exchange(
        "POST",
        f"v1beta/{quote(model)}:{method}",
        headers={"X-Toplu-Reuse": "never"},
        json={"batch": {"displayName": "verify", "inputConfig": {"fileName": file}}},
    )
    name = str(created.body["name"])
    await watch(client, [name])
    return name


def _said(response: dict[str, Any]) -> Any:
    """Return what the model said, without the ids and counts that are each response's own."""
    kept = {name: response.get(name) for name in ("candidates", "embedding", "embeddings")}

    def without_ids(value: Any) -> Any:
        if isinstance(value, dict):
            is_call = "functionCall" in value
            return {
                name: {key: it for key, it in each.items() if key != CALL_ID}
                if is_call and name == "functionCall"
                else without_ids(each)
                for name, each in value.items()
            }
        return [without_ids(each) for each in value] if isinstance(value, list) else value

    return without_ids(kept)
