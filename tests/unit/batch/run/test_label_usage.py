"""Sums by label follow the log of results, as the sums of all do."""

import json

from support.batch.batch_world import BatchWorld, make_durable, result_of
from support.store.rows import end_others
from toplu.batch.plan.order import RequestLine
from toplu.batch.run.label_usage import sums_by_label
from toplu.job import JobId, JobState, Method
from toplu.labels import LabelSum
from toplu.money import Usage
from toplu.store.blobs.records import Entry, Record
from toplu.store.rows.ledger import LedgerRows

USED = Usage(prompt_tokens=100, cached_tokens=30, output_tokens=7)


def a_line(text: str, labels: dict[str, str] | None) -> bytes:
    request = {"contents": [{"parts": [{"text": text}]}]}
    return json.dumps(
        {"request": request | ({} if labels is None else {"labels": labels})}
    ).encode()


def used(index: int, labels: dict[str, str] | None) -> Record:
    written = result_of(index, usage=USED)
    return Record(index=index, succeeded=True, payload=written.payload, usage=USED, labels=labels)


async def test_labels_that_only_log_and_input_know_are_counted_once(world: BatchWorld) -> None:
    labels = [{"team": "a"}, {"team": "b"}, None, {"team": "a", "run": "1"}]
    await world.keep_job("one", [a_line(f"{n}", each) for n, each in enumerate(labels)])
    await world.planner().step()
    killed = await world.open_shard("server-1")
    # Durable in the log; the server was killed before the database heard of it.
    await make_durable(killed, world.results, [used(0, labels[0]), used(2, None)])
    await end_others(world.jobs, "server-2")

    again = await world.open_shard("server-2")
    writer = world.writer()
    writer.note(again)
    for index in (1, 3):
        writer.add(again, used(index, labels[index]))
    await writer.flush()
    await world.jobs.move(JobId("one"), JobState.CANCELLED, world.clock.now())
    totals = await LedgerRows(world.database).label_totals()
    assert [(each.key, each.value, each.total.requests, each.total.usage) for each in totals] == [
        ("run", "1", 1, USED),
        ("team", "a", 2, USED + USED),
        ("team", "b", 1, USED),
    ]


def test_a_line_is_read_as_it_was_when_it_was_answered() -> None:
    lines = [
        a_line("a", {"k": "v"}),
        a_line("a", {"k": "v"})[:-1],  # no request: it was counted without labels
        a_line("a", {"k": ""}).replace(b'"labels"', b'"\\u006cabels"'),
        a_line("labels", None),
        a_line("a", {"": "no label"}),
        None,
    ]
    requests = [
        RequestLine(index=index, number=index + 1, line=line, group=index)
        for index, line in enumerate(lines)
    ]
    finished = {
        index: Entry(index=index, succeeded=True, offset=0, length=0, usage=USED, is_copy=False)
        for index in range(len(lines))
    }
    sums = sums_by_label(Method.GENERATE, requests, finished)
    one = LabelSum(requests=1, usage=USED)
    assert sums.items() == [(("k", ""), one), (("k", "v"), one)]
    assert sums_by_label(Method.GENERATE, requests, {}).items() == []
    assert not sums_by_label(Method.EMBED, requests, finished)
