"""Each replica of a model has one owner, as long as that lives."""

from pathlib import Path

from toplu.store.replica_locks import ReplicaLocks


def test_each_replica_has_one_owner(tmp_path: Path) -> None:
    folder = tmp_path / "replicas"
    with ReplicaLocks(folder) as one, ReplicaLocks(folder) as two, ReplicaLocks(folder) as three:
        assert one.take("a/b", 2) == 0
        assert two.take("a/b", 2) == 1
        assert three.take("a/b", 2) is None
        assert three.take("c", 1) == 0
    with ReplicaLocks(folder) as later:
        assert later.take("a/b", 2) == 0
