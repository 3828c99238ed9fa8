"""The lengths of answers to come, as a range: the wider, the less is known."""

from toplu.batch.dry_run.foresight import Range, output_range, usage_of
from toplu.batch.schedule.estimate import Expectations
from toplu.job import ANSWERS_OF_A_JOB, Experience, ProjectId
from toplu.money import Usage

MINE, OTHER = ProjectId("mine"), ProjectId("other")
LIMITS = [(50, 10), (1000, 10)]  # ten answers of 50 tokens at most, and ten of 1000


def known(answers: int, tokens_each: int) -> Experience:
    return Experience(
        answers=answers,
        usage=Usage(prompt_tokens=answers * 10, output_tokens=answers * tokens_each),
    )


def test_before_any_answer_they_may_be_as_long_as_they_are_allowed() -> None:
    assert output_range(Expectations({}, []), MINE, LIMITS) == Range(20, 10_500)


def test_no_answer_is_foreseen_to_be_longer_than_its_limit() -> None:
    expectations = Expectations({MINE: known(10**4, 800)}, [])
    expected = output_range(expectations, MINE, LIMITS)
    assert expected.low < 10 * 50 + 10 * 800 < expected.high <= 10_500


def test_more_knowledge_narrows_the_range() -> None:
    widths = []
    for project, answers in ((OTHER, 10**4), (MINE, ANSWERS_OF_A_JOB)):
        expectations = Expectations({project: known(answers, 100)}, [])
        expected = output_range(expectations, MINE, [(10**6, 100)])
        assert expected.low < 100 * 100 < expected.high
        widths.append(expected.high / expected.low)
    assert widths[0] > widths[1]


def test_vectors_have_no_tokens() -> None:
    assert output_range(Expectations({}, []), MINE, [(0, 5)]) == Range(0, 0)


def test_no_more_is_cached_than_is_read() -> None:
    assert usage_of(10.4, 99, 3.6) == Usage(prompt_tokens=10, cached_tokens=10, output_tokens=4)
