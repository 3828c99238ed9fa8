"""B6, B8 and B9 in virtual time: makespan, deadlines and fair shares of the product's own policy.

Nothing is timed: the same seeds give the same figures on every machine. The engines and the
policies of others are in `tests/support/simulation`; lengths of answers are those of ShareGPT.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

import sharegpt
from sizes import Size

from support.simulation.days import a_mix, fewest_late, guessed, learnt
from support.simulation.lanes_in_time import tokens_of_lanes
from support.simulation.makespan import block_by_block, bound, in_turn, longest_first
from support.simulation.peers import deadline_ramp, fair_only, fifo
from support.simulation.virtual_engine import Load, Policy, VirtualEngine, ours

POLICIES: tuple[Policy, ...] = (ours, fifo, fair_only, deadline_ramp)
SEEDS = {Size.TINY: range(1), Size.SELECTION: range(4), Size.FULL: range(8)}
MAKESPAN_SEEDS = {Size.TINY: range(1), Size.SELECTION: range(1), Size.FULL: range(2)}
MAKESPANS = ((200, 4), (200, 16), (200, 64), (2000, 16))  # requests, lanes
MAKESPANS_OF = {Size.TINY: MAKESPANS[:1], Size.SELECTION: MAKESPANS[:3], Size.FULL: MAKESPANS}
FEASIBLE = (0.5, 0.7, 0.8)
OVERLOADED = (0.9, 1.0, 1.2)
# What is known of a job's size; the rest is found out from its finished requests.
ESTIMATES = {"sizes_off_by_30_percent": guessed, "sizes_learnt": learnt}
SPREAD = 0.3
QUANTUM_SECONDS = 600.0  # of a day's simulation; a lane is asked for its next turn so often
SMALL_QUANTUM_SECONDS = 10.0


def makespan(size: Size) -> dict[str, float | str]:
    """Return the time of a job over the bound, on the product's own lanes.

    Known: each request has its `maxOutputTokens`, which is as long as its answer.
    """
    figures: dict[str, float | str] = {}
    for count, lanes in MAKESPANS_OF[size]:
        ratios: dict[str, list[float]] = {}
        for seed in MAKESPAN_SEEDS[size]:
            lengths = sharegpt.answer_tokens(seed, count)
            limit = bound(lengths, lanes)
            for name, took in (
                ("toplu", tokens_of_lanes(lengths, lanes, known=True, seed=seed)),
                ("toplu, lengths unknown", tokens_of_lanes(lengths, lanes, known=False, seed=seed)),
                ("longest first", longest_first(lengths, lanes)),
                ("file order", in_turn(lengths, lanes)),
                ("blocks", block_by_block(lengths, lanes)),
            ):
                ratios.setdefault(name, []).append(took / limit)
        name = f"{count}_requests_{lanes}_lanes"
        figures |= _apart(name, {by: statistics.mean(each) for by, each in ratios.items()})
    return figures


def deadlines(size: Size) -> dict[str, float | str]:
    """Return the late jobs of days of work, and of a plan that knows the future.

    A job's size is known; or its answers are as long as ShareGPT's, and it is estimated from those
    that are finished: at first it is a guess, or what others of its project were like.
    """
    lengths = sharegpt.all_answer_tokens()
    figures: dict[str, float | str] = {}
    for rhos in (FEASIBLE, OVERLOADED):
        kind = "feasible" if rhos is FEASIBLE else "overloaded"
        mixes = [
            a_mix(seed, rho, days)
            for rho in rhos
            for seed in SEEDS[size]
            for days in (0.2, 1.0)  # what comes within a few hours and within a day
        ]
        figures[f"jobs_{kind}"] = sum(map(len, mixes))
        optimum = sum(map(fewest_late, mixes))
        late = {_name(policy): float(_late(policy, mixes)) for policy in POLICIES}
        figures |= _apart(f"late_{kind}_sizes_known", late | {"optimum": optimum})
        for name, estimate in ESTIMATES.items():
            estimated = [estimate(mix, lengths, SPREAD) for mix in mixes]
            figures[f"late_{kind}_{name}"] = _late(ours, estimated)
        if rhos is OVERLOADED:
            for name in ("sizes_known", *ESTIMATES):
                late_of_ours = float(figures[f"late_{kind}_{name}"])
                figures[f"late_over_optimum_{name}"] = late_of_ours / max(1, optimum)
    return figures


def _late(policy: Policy, mixes: Sequence[Sequence[Load]]) -> int:
    count = 0
    for mix in mixes:
        engine = VirtualEngine(policy=policy, quantum_seconds=QUANTUM_SECONDS)
        count += sum(load.is_late for load in engine.run([replace(load) for load in mix]))
    return count


def fair_shares(size: Size) -> dict[str, float | str]:
    """Return what a small job takes beside a huge one, over twice its time alone."""
    figures: dict[str, float | str] = {}
    for seconds in (10.0,) if size is Size.TINY else (10.0, 60.0, 3600.0):
        ratios: dict[str, list[float]] = {}
        for policy in POLICIES:
            for huge_seconds in (60_000.0, 80_000.0, 500_000.0):
                ratio = _small_beside(policy, seconds, huge_seconds)
                ratios.setdefault(_name(policy), []).append(ratio)
        name = f"a_job_of_{seconds:.0f}_s"
        figures |= _apart(name, {by: max(each) for by, each in ratios.items()})
    figures["gap_of_the_counters"] = _widest_gap()
    return figures


def _small_beside(policy: Policy, seconds: float, huge_seconds: float) -> float:
    def small() -> Load:
        return Load(name="small", project="small", arrives=1000.0, seconds=seconds)

    alone = small()
    VirtualEngine(policy=policy, quantum_seconds=SMALL_QUANTUM_SECONDS).run([alone])
    beside = small()
    huge = Load(name="huge", project="huge", arrives=0.0, seconds=huge_seconds)
    engine = VirtualEngine(policy=policy, quantum_seconds=SMALL_QUANTUM_SECONDS)
    until = 100_000.0
    engine.run([huge, beside], until=until)
    took = until if beside.ended is None else beside.took
    return took / (2 * alone.took)


def _widest_gap() -> float:
    """Return the gap of projects that wait all the time, over what may be on the lanes of both."""
    loads = [
        Load(name=f"{project}-{part}", project=project, arrives=0.0, seconds=4000.0 / parts)
        for project, parts in (("one", 1), ("two", 40), ("three", 200))
        for part in range(parts)
    ]
    engine = VirtualEngine(policy=ours, quantum_seconds=SMALL_QUANTUM_SECONDS, watched=True)
    engine.run(loads, until=10_000.0)
    return engine.gap.widest / engine.gap_bound


def _apart(name: str, figures: Mapping[str, float]) -> dict[str, float | str]:
    """Return toplu's figure under the name, and what all others have behind it."""
    others = (f"{by} {figure:.3f}" for by, figure in figures.items() if by != "toplu")
    return {name: figures["toplu"], f"{name}_others": ", ".join(others)}


def _name(policy: Policy) -> str:
    name = getattr(policy, "__name__", "")
    return "toplu" if policy is ours else name.replace("_", " ")
