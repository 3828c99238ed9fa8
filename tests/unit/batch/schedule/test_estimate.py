"""The work left of a job: a guess, corrected by answers of its engine, its project and its own."""

import random
from statistics import mean

import pytest

from support.fake_clock import NOON
from support.simulation.makespan import conversations
from toplu.batch.schedule.estimate import (
    GUESS_COUNTS_AS,
    NOTHING_KNOWN,
    OUTPUT_TOKENS_GUESSED,
    Expectations,
    credible,
    work_left,
)
from toplu.job import (
    ANSWERS_OF_A_JOB,
    Experience,
    InputForm,
    Job,
    JobId,
    ProjectId,
    RequestCounts,
)
from toplu.money import WORK_OF_CACHED_TOKEN, WORK_OF_OUTPUT_TOKEN, Usage
from toplu.store.rows.shares import Competitor


def a_job(counts: RequestCounts, usage: Usage, tokens_estimate: int = 1000) -> Job:
    return Job(
        id=JobId("one"),
        project=ProjectId("a"),
        model="m",
        engine="echo",
        display_name=None,
        input_form=InputForm.FILE,
        input_file="input",
        counts=counts,
        usage=usage,
        tokens_estimate=tokens_estimate,
        created=NOON,
        updated=NOON,
        expires=NOON,
    )


def test_the_work_left_is_guessed_from_the_size_at_first() -> None:
    job = a_job(RequestCounts(total=10), Usage())
    assert work_left(job) == 1000 * 10 + 10 * OUTPUT_TOKENS_GUESSED * WORK_OF_OUTPUT_TOKEN


def test_then_it_follows_what_requests_turned_out_as() -> None:
    counts = RequestCounts(total=2000, succeeded=900, failed=100)
    each = work_left(a_job(counts, Usage(output_tokens=1000 * 5))) / counts.pending
    measured = 5 * WORK_OF_OUTPUT_TOKEN
    guess = 10 * 1000 / 2000 + OUTPUT_TOKENS_GUESSED * WORK_OF_OUTPUT_TOKEN
    assert each == pytest.approx(
        (1000 * measured + GUESS_COUNTS_AS * guess) / (1000 + GUESS_COUNTS_AS)
    )


def test_an_empty_job_has_no_work() -> None:
    assert work_left(a_job(RequestCounts(), Usage())) == 0


def a_competitor(project: str, answers: int, output_tokens: int) -> Competitor:
    """Return a job with so many answers of so many tokens each."""
    return Competitor(
        id=JobId(f"of-{project}"),
        project=ProjectId(project),
        priority=0,
        created=NOON,
        expires=NOON,
        counts=RequestCounts(total=2 * answers, succeeded=answers),
        usage=Usage(output_tokens=answers * output_tokens),
        tokens_estimate=0,
        planned=True,
        waits=True,
    )


def jobs_of(count: int, output_tokens: int) -> Experience:
    """Return the experience with so many jobs."""
    answers = count * ANSWERS_OF_A_JOB
    return Experience(answers=answers, usage=Usage(output_tokens=answers * output_tokens))


A, B, NEW = ProjectId("a"), ProjectId("b"), ProjectId("new")


def test_what_was_measured_is_believed_the_more_the_more_there_is() -> None:
    estimates = [credible(100.0, 300.0, count, counts_as=4) for count in (0, 1, 4, 1000)]
    assert estimates == sorted(estimates)
    assert estimates[0] == 100.0
    assert estimates[2] == 200.0
    assert estimates[3] == pytest.approx(300.0, rel=0.01)


def test_a_project_corrects_what_its_engine_is_like() -> None:
    expectations = Expectations({A: jobs_of(30, 100), B: jobs_of(30, 500)}, [])
    assert expectations.of(NEW).output_tokens == pytest.approx(300, rel=0.01)
    assert expectations.of(A).output_tokens == pytest.approx(100, rel=0.1)
    assert expectations.of(B).output_tokens == pytest.approx(500, rel=0.1)
    once = Expectations({A: jobs_of(1, 100), B: jobs_of(1, 500)}, [])
    assert once.of(A).output_tokens == pytest.approx(200, rel=0.05), "half is the engine's"


def test_jobs_that_are_not_finished_say_what_others_are_like() -> None:
    assert Expectations({}, []).of(A) == NOTHING_KNOWN
    one = Expectations({}, [a_competitor("a", answers=1000, output_tokens=500)])
    assert one.of(NEW).output_tokens == pytest.approx(500, rel=0.1)
    assert one.of(A).output_tokens == pytest.approx(500, rel=0.05)


def test_prompts_whose_prefix_is_cached_are_expected_to_cost_little() -> None:
    usage = Usage(prompt_tokens=1_000_000, cached_tokens=1_000_000)
    expected = Expectations({A: Experience(answers=10_000, usage=usage)}, []).of(A)
    job = a_job(RequestCounts(total=10), Usage())
    assert work_left(job, expected) == pytest.approx(1000 * WORK_OF_CACHED_TOKEN, rel=0.05)
    assert work_left(job) > 10 * work_left(job, expected)


@pytest.mark.parametrize("wrong_by", [0.5, 2.0])
def test_a_tenth_of_the_answers_of_a_chat_is_enough(wrong_by: float) -> None:
    """A job of 4,000 requests has an estimate that is right to a tenth after 400 of them."""
    lengths = conversations(seed=3, count=4000)
    done = random.Random(0).sample(lengths, 400)
    counts = RequestCounts(total=4000, succeeded=len(done))
    job = a_job(counts, Usage(output_tokens=sum(done)), tokens_estimate=0)
    expected = Expectations({A: jobs_of(1000, round(wrong_by * mean(lengths)))}, []).of(A)
    right = WORK_OF_OUTPUT_TOKEN * (sum(lengths) - sum(done))
    assert work_left(job, expected) == pytest.approx(right, rel=0.1)
    unstarted = a_job(RequestCounts(total=4000), Usage(), tokens_estimate=0)
    assert work_left(unstarted, expected) == pytest.approx(
        wrong_by * WORK_OF_OUTPUT_TOKEN * sum(lengths), rel=0.01
    )
