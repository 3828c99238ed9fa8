"""Deals the replicas of models out to workers: each replica has one owner.

An owner of several replicas of a model has one engine with the lanes of all. A model of servers
has as many replicas as its servers are dealt into, so that one owner finds the limits of a server.
"""

from collections.abc import Mapping, Sequence

import msgspec

from toplu.settings.model import ModelSettings

# The numbers of the replicas that a worker owns, by the name of their model.
Replicas = Mapping[str, Sequence[int]]


def divide(models: Sequence[ModelSettings], workers: int) -> list[dict[str, list[int]]]:
    """Return for each worker the replicas that it owns.

    A replica goes to the worker with the fewest of its model, then with the fewest lanes in all.
    """
    shares: list[dict[str, list[int]]] = [{} for _ in range(workers)]
    lanes = [0] * workers
    for model in models:
        for number in range(model.replicas):
            _, _, chosen = min(
                (len(share.get(model.name, ())), lanes[worker], worker)
                for worker, share in enumerate(shares)
            )
            shares[chosen].setdefault(model.name, []).append(number)
            lanes[chosen] += model.lanes
    return shares


def owned_alone(models: Sequence[ModelSettings]) -> list[ModelSettings]:
    """Return the models of the only worker, which owns every replica."""
    return owned(models, divide(models, 1)[0])


def owned(models: Sequence[ModelSettings], replicas: Replicas) -> list[ModelSettings]:
    """Return the models of an owner, each as large as its replicas are together."""
    return [_together(model, numbers) for model in models if (numbers := replicas.get(model.name))]


def _together(model: ModelSettings, numbers: Sequence[int]) -> ModelSettings:
    if model.runs_server:
        gpus = tuple(gpu for number in numbers for gpu in model.vllm.gpus_of(number))
        own = msgspec.structs.replace(model.vllm, gpus=gpus)
        return msgspec.structs.replace(model, vllm=own, replicas=len(numbers))
    if not model.is_remote:
        return msgspec.structs.replace(model, lanes=model.lanes * len(numbers))
    dealt = [server for at, server in enumerate(model.servers) if at % model.replicas in numbers]
    return msgspec.structs.replace(model, servers=tuple(dealt))
