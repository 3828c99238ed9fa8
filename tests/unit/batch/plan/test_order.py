"""The order: a permutation that keeps together what shares, in memory and on disk alike."""

import json
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from toplu.batch.plan.external_sort import ExternalSort
from toplu.batch.plan.order import OrderEntry, pack, unpack
from toplu.batch.plan.ordering import Ordering, PlanRules
from toplu.batch.plan.shard_cutter import ShardBounds, cut_shards
from toplu.batch.plan.sort_key import key_of
from toplu.job import Method
from toplu.settings.model import ModelSettings
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.jsonl import read_line
from toplu.wire.gemini.line_splitter import LineSpan

MODEL = ModelSettings(name="m", engine="echo", temperature=0.7)
RULES = PlanRules(
    method=Method.GENERATE,
    batch_model="m",
    model=MODEL,
    deduplication="deterministic",
    requests_max=10_000,
    line_bytes_max=100_000,
    shard_requests_max=100,
    shard_bytes_max=1_000_000,
)


def a_line(*turns: str, system: str | None = None, **config: Any) -> bytes:
    request: dict[str, Any] = {
        "contents": [
            {"role": "model" if number % 2 else "user", "parts": [{"text": turn}]}
            for number, turn in enumerate(turns)
        ]
    }
    if system is not None:
        request["systemInstruction"] = {"parts": [{"text": system}]}
    if config:
        request["generationConfig"] = config
    return json.dumps(request).encode()


def a_request(line: bytes) -> GenerateContentRequest:
    return read_line(line, 1).request


def places_of(lines: list[bytes], sorter: ExternalSort | None = None) -> list[OrderEntry]:
    ordering = Ordering(RULES, sorter or ExternalSort())
    offset = 0
    for number, line in enumerate(lines):
        ordering.add(number, LineSpan(offset, len(line), number + 1), line)
        offset += len(line) + 1
    return [place for places in ordering.places() for place in places]


WORDS = st.text(st.sampled_from("ab \x00é"), max_size=6)
LINES = st.lists(
    st.one_of(
        st.builds(a_line, WORDS, system=st.none() | WORDS),
        st.builds(a_line, WORDS, temperature=st.just(0)),
        st.builds(a_line, WORDS, WORDS, WORDS, seed=st.integers(0, 1)),
        st.just(b"no request"),
    ),
    max_size=40,
)


@given(lines=LINES)
def test_an_order_is_a_permutation_with_duplicates_and_prefixes_side_by_side(
    lines: list[bytes],
) -> None:
    places = places_of(lines)
    assert sorted(place.index for place in places) == list(range(len(lines)))
    for place in places:
        assert place.number == place.index + 1
        assert place.length == len(lines[place.index])
    # Whoever asks the same, and is sure of the same answer, is one group.
    groups: list[list[int]] = []
    for place in places:
        if place.is_duplicate:
            groups[-1].append(place.index)
        else:
            groups.append([place.index])
    expected: dict[bytes, list[int]] = {}
    for index, line in enumerate(lines):
        is_deterministic = b'"temperature": 0' in line or b'"seed"' in line
        expected.setdefault(line if is_deterministic else b"%d" % index, []).append(index)
    assert sorted(groups) == sorted(expected.values())


@given(lines=LINES, memory_bytes=st.integers(1, 2000))
def test_an_order_on_disk_is_the_order_in_memory(lines: list[bytes], memory_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        on_disk = places_of(lines, ExternalSort(Path(folder), memory_bytes))
    assert on_disk == places_of(lines)


def trie_edges(keys: list[bytes]) -> int:
    """Return the bytes that a reader reads that never reads a prefix twice."""
    return len({key[:end] for key in keys for end in range(1, len(key) + 1)})


def test_neighbours_share_all_that_there_is_to_share() -> None:
    chance = random.Random(7)
    system = "You answer questions about a passage. " * 5
    lines = [
        a_line(f"Passage {passage}: {'word ' * passage}\nQuestion {question}?", system=system)
        for passage in range(40)
        for question in range(5)
    ]
    chance.shuffle(lines)
    keys = [key_of(a_request(line)) for line in lines]
    places = places_of(lines)
    read = sum(len(keys[place.index]) - place.shared_bytes for place in places)
    assert read == trie_edges(keys)


PLACES = st.lists(
    st.builds(
        OrderEntry,
        index=st.just(0),
        offset=st.just(0),
        length=st.integers(1, 40),
        number=st.just(1),
        shared_bytes=st.integers(0, 1000),
        is_duplicate=st.booleans(),
    ),
    max_size=60,
)


@given(
    places=PLACES,
    lanes=st.integers(1, 4),
    requests_max=st.integers(1, 9),
    bytes_max=st.integers(1, 90),
)
def test_shards_take_all_places_and_keep_their_bounds(
    places: list[OrderEntry], lanes: int, requests_max: int, bytes_max: int
) -> None:
    bounds = ShardBounds.of(
        total=len(places), lanes=lanes, requests_max=requests_max, bytes_max=bytes_max
    )
    counts = list(cut_shards(places, bounds))
    assert sum(counts) == len(places)
    first = 0
    for count in counts:
        assert 1 <= count <= requests_max
        assert count == 1 or sum(p.length for p in places[first : first + count]) <= bytes_max
        first += count


def test_every_lane_has_several_shards_even_of_a_small_job() -> None:
    places = places_of([a_line(f"{number:04}") for number in range(200)])
    bounds = RULES.bounds(len(places))
    counts = list(cut_shards(places, bounds))
    assert 12 <= len(counts) <= 20
    assert max(counts) <= 2 * bounds.requests


def test_lanes_hold_all_requests_of_a_job_that_has_few_for_each() -> None:
    few = ShardBounds.of(total=16 * 4, lanes=4, requests_max=100, bytes_max=10**6)
    assert few.requests == 16
    more = ShardBounds.of(total=16 * 4 + 1, lanes=4, requests_max=100, bytes_max=10**6)
    assert more.requests == 5


def test_groups_are_not_torn_by_a_cut_where_there_is_a_better_one() -> None:
    lines = [
        a_line(f"{chr(65 + passage) * 300} {question}")
        for passage in range(8)
        for question in range(4)
    ]
    bounds = ShardBounds(requests=4, requests_max=100, bytes_max=10**6)
    counts = list(cut_shards(places_of(lines), bounds))
    assert sum(counts) == len(lines)
    assert all(count % 4 == 0 for count in counts)
    assert len(counts) > 4


def test_duplicates_share_a_shard_as_far_as_its_bounds_allow() -> None:
    places = places_of([a_line("a", seed=1)] * 30 + [a_line("b", seed=1)] * 2)
    wide = ShardBounds(requests=4, requests_max=100, bytes_max=10**6)
    narrow = ShardBounds(requests=4, requests_max=10, bytes_max=10**6)
    assert list(cut_shards(places, wide)) == [32]
    assert list(cut_shards(places, narrow)) == [10, 10, 10, 2]


def test_records_are_read_as_they_were_written() -> None:
    places = places_of([a_line("a", seed=1)] * 3 + [b"no request"])
    assert unpack(pack(places)) == places
