"""Each replica of a model has one owner, and an owner's engine is as large as what it owns."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from toplu.settings.model import ModelSettings
from toplu.settings.remote import ServerSettings, VllmSettings
from toplu.settings.replicas import divide, owned


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
