import asyncio

from toplu.tracing.request_at_hand import add_to_event, take_up


async def test_a_line_names_the_request_of_its_own_task() -> None:
    async def work(index: int) -> dict[str, object]:
        take_up("a-job", "team-a", index)
        await asyncio.sleep(0)
        return dict(add_to_event(None, "info", {"event": "it"}))

    lines = await asyncio.gather(work(1), work(2))
    assert lines == [
        {"event": "it", "job": "a-job", "project": "team-a", "index": index} for index in (1, 2)
    ]
    assert add_to_event(None, "info", {"event": "it"}) == {"event": "it"}


async def test_what_a_line_says_itself_stands() -> None:
    take_up("a-job", "team-a", 1)
    assert add_to_event(None, "info", {"job": "another"}) == {
        "job": "another",
        "project": "team-a",
        "index": 1,
    }
