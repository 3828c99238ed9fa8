import asyncio
import os
from pathlib import Path

import pytest

from support.pdf_files import pdf_bomb
from support.waiting import PATIENCE_SECONDS
from toplu.documents import reading_process
from toplu.documents.child import DocumentOrder
from toplu.documents.fault import DocumentFault
from toplu.documents.media_type import Reading
from toplu.documents.reading_process import SPENT, read_in_child
from toplu.settings.server import MIB


def an_order(**changes: int) -> DocumentOrder:
    limits = {
        "size_bytes": 1,
        "pages_max": 10,
        "characters_max": 1000,
        "memory_bytes_max": 256 * MIB,
        "cpu_seconds_max": 1,
    }
    return DocumentOrder(reading=Reading.PDF, **limits | changes)


@pytest.fixture
def rogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a program that is run instead of the reader."""
    monkeypatch.setattr(reading_process, "CHILD_MODULE", "rogue")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "rogue.py"


async def fault_of(order: DocumentOrder, data: bytes) -> DocumentFault:
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(DocumentFault) as raised:
            await read_in_child(order, data)
    return raised.value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "passing"),
    [
        # Neither processor time nor memory is taken: only the clock ends it.
        ("import time; print('x', flush=True); time.sleep(600)", True),
        ("while True: print('x' * 65536)", False),
        ("import os; os.abort()", False),
        ("print('{}')", False),
        ("import sys; sys.stdin.close()", False),
    ],
)
async def test_a_reader_that_goes_wrong_is_the_documents_fault(
    rogue: Path, program: str, passing: bool
) -> None:
    rogue.write_text(program, encoding="utf-8")
    fault = await fault_of(an_order(size_bytes=8 * MIB), b"x" * 8 * MIB)
    assert (fault.message, fault.passing) == (SPENT, passing)


@pytest.mark.slow
@pytest.mark.parametrize(
    "limits",
    [
        {"memory_bytes_max": 256 * MIB, "cpu_seconds_max": 60},
        {"memory_bytes_max": 8192 * MIB, "cpu_seconds_max": 1},
    ],
)
async def test_a_bomb_ends_at_either_limit(limits: dict[str, int]) -> None:
    bomb = pdf_bomb(512 * MIB)
    assert len(bomb) < 4096
    fault = await fault_of(an_order(size_bytes=len(bomb), **limits), bomb)
    assert (fault.message, fault.unserved) == (SPENT, False)
