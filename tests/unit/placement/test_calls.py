from toplu.placement.calls import RECENT_SECONDS, RecentCalls
from toplu.settings.model import ModelSettings

ELASTIC = ModelSettings(name="comes-and-goes", engine="echo", replicas_max=2)
FIXED = ModelSettings(name="stays", engine="echo")


def test_a_call_counts_for_a_moment() -> None:
    second = 100.0
    calls = RecentCalls([ELASTIC, FIXED], lambda: second)
    assert not calls.include(ELASTIC.name)
    calls.note(ELASTIC.name)
    second += RECENT_SECONDS - 0.1
    assert calls.include(ELASTIC.name)
    second += 0.1
    assert not calls.include(ELASTIC.name)


def test_models_that_do_not_come_and_go_are_not_kept_in_mind() -> None:
    calls = RecentCalls([ELASTIC, FIXED])
    for name in (FIXED.name, "of-another-version"):
        calls.note(name)
        assert not calls.include(name)
