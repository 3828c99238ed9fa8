from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from toplu.engines.prompt import Prompt, Sampling, Turn
from toplu.fleet.remote.affinity import PromptHead, choose, head_of, ranked

SAMPLING = Sampling(temperature=0, top_p=1, top_k=0, output_tokens_max=1)


@dataclass
class Fake:
    name: str
    weight: float = 1.0
    in_flight: int = 0


def some(count: int) -> list[Fake]:
    return [Fake(f"http://server-{number}/v1") for number in range(count)]


def first_of(servers: list[Fake], text: str) -> str:
    return servers[ranked(servers, PromptHead(text))[0]].name


def test_a_server_that_leaves_moves_only_what_it_had():
    five = some(5)
    left = five[:2] + five[3:]
    for number in range(500):
        before = first_of(five, f"head {number}")
        if before != five[2].name:
            assert first_of(left, f"head {number}") == before


def test_servers_get_what_their_weights_say():
    servers = [Fake("a", weight=3.0), Fake("b")]
    share = sum(first_of(servers, str(number)) == "a" for number in range(4000)) / 4000
    assert 0.72 < share < 0.78


@given(st.lists(st.integers(0, 20), min_size=1, max_size=6), st.text(max_size=20))
def test_none_gets_more_than_its_bound_and_one_with_room_is_found(load: list[int], text: str):
    servers = some(len(load))
    for server, in_flight in zip(servers, load, strict=True):
        server.in_flight = in_flight
    place = choose(servers, [1] * len(servers), PromptHead(text))
    assert place is not None
    assert servers[place].in_flight <= 1.25 * (sum(load) + 1) / len(load)


def test_one_without_room_is_passed_over():
    servers = some(3)
    favourite = ranked(servers, PromptHead("x"))[0]
    rooms = [1, 1, 1]
    rooms[favourite] = 0
    assert choose(servers, rooms, PromptHead("x")) not in (None, favourite)
    assert choose(servers, [0, 0, 0], PromptHead("x")) is None


def test_a_head_is_of_the_instructions_first_and_bounded():
    def asked(question: str) -> PromptHead:
        turns = (Turn("system", "Be brief. " * 200), Turn("user", question))
        return head_of(Prompt(turns=turns, sampling=SAMPLING))

    assert asked("Who?") == asked("What?")
    assert len(asked("Who?").text) == 1024
