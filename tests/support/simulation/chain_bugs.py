"""Bugs of lines that wait for lines."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

from support.simulation.plot import Plot
from toplu.batch.chains.wave import Answers
from toplu.batch.plan.dependencies import Dependencies


def lines_get_the_answers_of_others() -> AbstractContextManager[Any]:
    of = Answers.of

    def mistaken(self: Answers, index: int) -> Any:
        return of(self, max(0, index - 1))

    return mock.patch.object(Answers, "of", mistaken)


def the_last_wave_is_forgotten() -> AbstractContextManager[Any]:
    write = Dependencies.write

    def forgetful(self: Dependencies) -> list[Path]:
        return write(self)[:-1]

    return mock.patch.object(Dependencies, "write", forgetful)


BUGS = {bug.__name__: bug for bug in (lines_get_the_answers_of_others, the_last_wave_is_forgotten)}

CHAINED = Plot(chain=0.5, duplicate=0.0, withdraw=0.0, kill=0.0, jump=0.0, pause=0.0, clear=True)
PLOTS = dict.fromkeys(BUGS, CHAINED)
