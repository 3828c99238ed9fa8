"""Each replica of a model has one owner, and an owner's engine is as large as what it owns."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toplu.errors import ConfigurationError
from toplu.settings.cluster import ClusterSettings
from toplu.settings.load import load
from toplu.settings.model import ModelSettings
from toplu.settings.remote import ServerSettings, VllmSettings
from toplu.settings.replicas import dealt, divide, owned, placed
from toplu.settings.server import Settings


def model(name: str, *, replicas: int = 1, lanes: int = 4) -> ModelSettings:
    return ModelSettings(name=name, engine="echo", replicas=replicas, lanes=lanes)


def servers(count: int, replicas: int) -> ModelSettings:
    listed = tuple(ServerSettings(url=f"http://{at}.example", model="m") for at in range(count))
    return ModelSettings(name="far", engine="openai_server", servers=listed, replicas=replicas)


@given(st.lists(st.integers(1, 9), max_size=5), st.integers(1, 8))
def test_each_replica_has_one_owner(replicas: list[int], workers: int) -> None:
    models = [model(str(at), replicas=count) for at, count in enumerate(replicas)]
    shares = divide(models, workers)
    assert len(shares) == workers
    owners = Counter((name, it) for share in shares for name in share for it in share[name])
    assert owners == Counter((each.name, it) for each in models for it in range(each.replicas))
    for each in models:
        counts = [len(share.get(each.name, ())) for share in shares]
        assert max(counts) - min(counts) <= 1


def test_models_go_to_workers_with_little_to_do() -> None:
    models = [model("large", lanes=8), model("small"), model("another")]
    assert divide(models, 2) == [{"large": [0]}, {"small": [0], "another": [0]}]
    assert divide(models[:1], 2) == [{"large": [0]}, {}]


def test_an_owner_of_several_has_the_lanes_of_all() -> None:
    models = [model("one", replicas=2), model("two")]
    assert [(it.name, it.lanes) for it in owned(models, {"one": [0, 1]})] == [("one", 8)]
    assert owned(models, {}) == []


def test_each_server_has_one_owner() -> None:
    far = servers(5, replicas=2)
    parts = [owned([far], share)[0].servers for share in divide([far], 2)]
    assert sorted(map(len, parts)) == [2, 3]
    assert set(parts[0]) | set(parts[1]) == set(far.servers)
    assert owned([far], divide([far], 1)[0])[0].servers == far.servers


def test_an_owner_of_vllms_has_the_gpus_of_its_replicas() -> None:
    vllm = VllmSettings(tensor_parallel=2, gpus=tuple("abcdef"))
    (mine,) = owned([ModelSettings(name="m", engine="vllm", replicas=3, vllm=vllm)], {"m": [0, 2]})
    assert (mine.replicas, mine.lanes) == (2, 4)
    assert [mine.vllm.gpus_of(it) for it in range(2)] == [("a", "b"), ("e", "f")]


ELASTIC = ModelSettings(name="elastic", engine="echo", replicas_max=3)
FIXED = model("fixed", replicas=2)


@pytest.mark.parametrize(
    ("settings", "has_dealt", "places"),
    [
        ({}, [FIXED], [ELASTIC]),
        ({"workers": 0}, [FIXED, ELASTIC], []),  # one process has all that there may be
        ({"cluster": ClusterSettings(placement="none")}, [FIXED, ELASTIC], []),
    ],
)
def test_replicas_that_come_and_go_are_not_dealt_out(
    settings: dict[str, Any], has_dealt: list[ModelSettings], places: list[ModelSettings]
) -> None:
    found = Settings(models=(FIXED, ELASTIC), **settings)
    assert (dealt(found), placed(found)) == (has_dealt, places)


def test_as_many_as_there_may_be_are_dealt_out() -> None:
    assert divide([ELASTIC], 2) == [{"elastic": [0, 2]}, {"elastic": [1]}]


SERVERS = 'engine = "openai_server"\nservers = [{ url = "http://a.example/v1", model = "m" }]\n'


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("replicas_min = 1", "models: m: replicas_min needs replicas_max"),
        ("replicas_min = 3\nreplicas_max = 2", "replicas_min 3 is above replicas_max 2"),
        ("replicas = 2\nreplicas_max = 2", "name replicas, or replicas_min and replicas_max"),
        ("replicas_max = 0", "replicas_max"),
        ("replicas_max = 65", "replicas_max"),
        ("idle_seconds = 0", "idle_seconds"),
        ("replicas_max = 8", "1 workers and replicas_max of 8 in all are more than the 8"),
        ("replicas_max = 2\n[cluster]\nplacement = 'swarm'", "placement"),
    ],
)
def test_bounds_that_do_not_go_together_are_refused(lines: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load(config(tmp_path, f'engine = "echo"\n{lines}'), {})


def test_servers_of_others_do_not_come_and_go(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="replicas_max is for engines that workers run"):
        load(config(tmp_path, f"{SERVERS}replicas_max = 2"), {})


def test_bounds_are_read(tmp_path: Path) -> None:
    lines = 'engine = "echo"\nreplicas_min = 1\nreplicas_max = 7\nidle_seconds = 30'
    (found,) = load(config(tmp_path, lines), {}).models
    assert (found.replicas_min, found.replicas_most, found.idle_seconds) == (1, 7, 30)
    assert (found.is_elastic, found.may_rest, ELASTIC.may_rest) == (True, False, True)


def config(folder: Path, lines: str) -> Path:
    path = folder / "toplu.toml"
    path.write_text(f'[[models]]\nname = "m"\n{lines}\n')
    return path
