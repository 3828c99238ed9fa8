import io

from toplu.batch.plan.wave_file import AMBIGUOUS, UNKNOWN, WaitingLine, pack, read_wave


def test_entries_are_read_as_they_were_written() -> None:
    lines = [
        WaitingLine(3, 2**40, 17, 4, (0,)),
        WaitingLine(4, 2**40 + 18, 2**30, 6, tuple(range(64))),
        WaitingLine(5, 0, 1, 7, (UNKNOWN, 2, AMBIGUOUS), is_too_deep=True),
    ]
    written = io.BytesIO(b"".join(map(pack, lines)))
    assert list(read_wave(written)) == lines
    assert [line.is_unfounded for line in lines] == [False, False, True]
