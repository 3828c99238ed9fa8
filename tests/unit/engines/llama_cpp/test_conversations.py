"""Conversations find what they were before on whatever lane they go on; little else is saved."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from support.engines.engines_under_test import a_prompt
from toplu.engines.llama_cpp.conversations import (
    SAVED_WITHOUT_TRUST,
    TRUST_AT_FIRST,
    Conversations,
)
from toplu.engines.llama_cpp.lane_order import LaneOrder
from toplu.engines.llama_cpp.reply import StateMoved
from toplu.engines.llama_cpp.saved_states import SavedStates
from toplu.engines.prompt import KeptPrefix, Prompt, Turn
from toplu.errors import Internal

BYTES_A_TOKEN = 10
Text = tuple[str, ...]  # as the tokens of a prompt


@dataclass
class Engine:
    """Lanes that hold what they were asked and answered last, a word a token."""

    count: int
    folder: Path
    bytes_max: int = 10**9
    files: dict[str, Text] = field(default_factory=dict)
    saves: int = 0
    fails: str = ""  # an action that does

    def __post_init__(self) -> None:
        self.lanes: list[Text] = [()] * self.count
        self.running = [asyncio.Lock() for _ in range(self.count)]
        self.order = LaneOrder(self.count)
        self.conversations = Conversations(
            states=SavedStates(self, folder=self.folder, bytes_max=self.bytes_max),
            order=self.order,
            lanes=self.count,
        )

    async def move_state(self, action: str, file_name: str, lane: int) -> StateMoved:
        async with self.running[lane]:
            await asyncio.sleep(0)
            if action == self.fails:
                raise Internal("it cannot")
            if action == "save":
                self.saves += 1
                self.files[file_name] = self.lanes[lane]
                (self.folder / file_name).touch()
                return StateMoved(n_written=BYTES_A_TOKEN * len(self.lanes[lane]))
            if not (self.folder / file_name).exists():
                raise Internal("there is no such file")
            self.lanes[lane] = self.files[file_name]
            return StateMoved(n_read=BYTES_A_TOKEN * len(self.lanes[lane]))

    async def ask(self, prompt: Prompt, lane: int) -> tuple[str, int]:
        """Return the answer, and how much of the prompt the lane had."""
        words = tuple(word for turn in prompt.turns for word in turn.text.split())
        async with self.order.next_on(lane) as let_next:
            await self.conversations.bring(prompt, lane)
            async with self.running[lane]:
                let_next()
                held = self.lanes[lane]
                common = next(
                    (at for at, (one, other) in enumerate(zip(held, words)) if one != other),  # noqa: B905  # one is longer
                    min(len(held), len(words)),
                )
                await asyncio.sleep(0)
                answer = f"answer to {prompt.turns[-1].text}"
                self.lanes[lane] = (*words, *answer.split())
        return answer, common


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(4, tmp_path)


def prompt_of(*texts: str) -> Prompt:
    roles = ("user", "assistant")
    turns = tuple(Turn(roles[at % 2], text) for at, text in enumerate(texts))  # type: ignore[arg-type]
    return replace(a_prompt(""), turns=turns)


async def converse(engine: Engine, name: str, hops: int) -> tuple[int, int]:
    """Return how much of its own past a conversation found, and how much there was."""
    texts = [f"{name} asks about many things and this is the first of them", "yes"]
    found = past = before = 0
    for hop in range(hops):
        texts.append(f"{name} goes on with the question {hop} of all")
        # Whatever lane is next, as where others come and go.
        lane = (sum(name.encode()) + hop) % engine.count
        answer, common = await engine.ask(prompt_of(*texts), lane)
        if hop:
            found += common
            past += before
        texts.append(answer)
        before = sum(len(text.split()) for text in texts)
    return found, past


@pytest.mark.parametrize(("agents", "lanes"), [(2, 4), (3, 1), (200, 4)])
async def test_agents_find_their_own_past(tmp_path: Path, agents: int, lanes: int) -> None:
    engine = Engine(lanes, tmp_path)
    done = await asyncio.gather(*(converse(engine, f"agent-{it}", 10) for it in range(agents)))
    found, past = (sum(column) for column in zip(*done, strict=True))
    assert found / past >= 0.97
    # One file at most for each, and each is the beginning of what comes next.
    assert len(list(tmp_path.iterdir())) <= agents


async def test_a_state_is_fetched_from_a_lane_that_is_idle(engine: Engine) -> None:
    await engine.ask(prompt_of("one two", "three", "four"), 0)
    longer = prompt_of("one two", "three", "four", "answer to four", "five")
    assert (await engine.ask(longer, 2))[1] == 7
    assert engine.saves == 1
    assert await engine.ask(longer, 2) == ("answer to five", 8)
    assert engine.saves == 1


async def test_single_questions_are_not_kept(engine: Engine) -> None:
    for number in range(20):
        await engine.ask(prompt_of(f"question {number}"), number % 4)
    prefix = KeptPrefix(id="rules", turns=1, tokens=2)
    for number in range(20):
        kept = replace(prompt_of("the rules", "yes", f"q {number}"), kept_prefix=prefix)
        await engine.ask(kept, number % 4)
    assert engine.saves == 0


async def test_where_nothing_goes_on_little_is_saved(engine: Engine) -> None:
    count = TRUST_AT_FIRST + 10 * SAVED_WITHOUT_TRUST
    for number in range(count):
        await engine.ask(prompt_of(f"question {number}", "yes", "and then"), number % 4)
    assert TRUST_AT_FIRST <= engine.saves + 1 <= TRUST_AT_FIRST + 11


async def test_files_keep_within_their_bytes_and_those_used_last_stay(tmp_path: Path) -> None:
    engine = Engine(1, tmp_path, bytes_max=300)
    prompts = [prompt_of(f"{number} a b c", "d e", "f g") for number in range(6)]
    for prompt in prompts:
        await engine.ask(prompt, 0)
    assert sum(BYTES_A_TOKEN * len(engine.files[it.name]) for it in tmp_path.iterdir()) <= 300
    assert (await engine.ask(prompts[-2], 0))[1] == 8
    assert (await engine.ask(prompts[0], 0))[1] == 0


@pytest.mark.parametrize("action", ["save", "restore"])
async def test_a_state_that_cannot_be_moved_costs_nothing_but_time(
    engine: Engine, action: str
) -> None:
    engine.fails = action
    first, other = prompt_of("one", "two", "three"), prompt_of("a", "b", "c")
    await engine.ask(first, 0)
    await engine.ask(other, 0)
    longer = prompt_of("one", "two", "three", "answer to three", "four")
    assert await engine.ask(longer, 0) == ("answer to four", 0)
    if action == "restore":
        assert list(engine.folder.iterdir()) == []


async def test_nothing_is_kept_where_nothing_may_be(tmp_path: Path) -> None:
    engine = Engine(1, tmp_path, bytes_max=0)
    for text in ("one", "two"):
        await engine.ask(prompt_of(text, "yes", "and"), 0)
    assert engine.saves == 0
