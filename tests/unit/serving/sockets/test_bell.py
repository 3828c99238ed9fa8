"""A ring is heard in every other process that listens, and is no matter to one that does not."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from toplu.serving.sockets.bell import SUFFIX, Bell


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("b")


@pytest.fixture
def bells(folder: Path) -> Iterator[tuple[Bell, Bell]]:
    one, two = Bell(folder, "one"), Bell(folder, "two")
    yield one, two
    one.close()
    two.close()


async def test_others_hear_it_in_its_words(bells: tuple[Bell, Bell]) -> None:
    one, two = bells
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    with (
        one.listening(lambda words: heard.put_nowait(("one", words))),
        two.listening(lambda words: heard.put_nowait(("two", words))),
    ):
        one.ring("planned")
        assert await heard.get() == ("two", "planned")
        two.ring("dropped x")
        assert await heard.get() == ("one", "dropped x")
    assert heard.empty()


async def test_the_socket_of_a_dead_process_is_cleared_away(
    bells: tuple[Bell, Bell], folder: Path
) -> None:
    one, two = bells
    left = folder / f"two{SUFFIX}"
    with two.listening(print):
        inode = left.stat().st_ino
        dead = folder / f"dead{SUFFIX}"
        dead.hardlink_to(left)
    assert dead.stat().st_ino == inode
    one.ring("created")
    assert not dead.exists()


async def test_one_that_does_not_listen_holds_nobody_up(bells: tuple[Bell, Bell]) -> None:
    one, two = bells
    with two.listening(print):
        for _ in range(10_000):  # more than its buffer holds; nothing reads meanwhile
            one.ring("created")
