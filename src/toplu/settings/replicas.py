"""Deals the replicas of models out to workers: each replica has one owner.

An owner of several replicas of a model has one engine with the lanes of all. A model of servers
has as many replicas as its servers are dealt into, so that one owner finds the limits of a server.
Replicas that come and go have a worker each; see `placement`.
"""

from collections.abc import Mapping, Sequence

import msgspec

from toplu.errors import ConfigurationError
from toplu.settings.model import ModelSettings
from toplu.settings.server import Settings

SHARE_A_FILE_MAX = 8  # workers that write rows to one file
# The numbers of the replicas that a worker owns, by the name of their model.
Replicas = Mapping[str, Sequence[int]]


def divide(models: Sequence[ModelSettings], workers: int) -> list[dict[str, list[int]]]:
    """Return for each worker the replicas that it owns.

    A replica goes to the worker with the fewest of its model, then with the fewest lanes in all.
    """
    shares: list[dict[str, list[int]]] = [{} for _ in range(workers)]
    lanes = [0] * workers
    for model in models:
        for number in range(model.replicas_most):
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


def check_replicas(model: ModelSettings) -> None:
    """Raise ConfigurationError unless the bounds of its replicas go with the model."""
    at = f"models: {model.name}:"
    if model.replicas_max is None:
        if model.replicas_min:
            raise ConfigurationError(f"{at} replicas_min needs replicas_max")
        return
    if model.replicas_min > model.replicas_max:
        raise ConfigurationError(
            f"{at} replicas_min {model.replicas_min} is above replicas_max {model.replicas_max}"
        )
    if model.replicas != 1:
        raise ConfigurationError(f"{at} name replicas, or replicas_min and replicas_max")
    if model.is_remote and not model.runs_server:
        raise ConfigurationError(
            f"{at} replicas_max is for engines that workers run; servers are dealt into replicas"
        )


def check_placement(settings: Settings) -> None:
    """Raise ConfigurationError unless the replicas that come and go can share rows."""
    most = sum(it.replicas_most for it in placed(settings))
    if most and not settings.store.is_shared and settings.workers + most > SHARE_A_FILE_MAX:
        raise ConfigurationError(
            f"models: {settings.workers} workers and replicas_max of {most} in all are more than "
            f"the {SHARE_A_FILE_MAX} that rows in a file are for; see [store]"
        )


def placed(settings: Settings) -> list[ModelSettings]:
    """Return the models whose replicas `toplu serve` has started and ended as they are wanted."""
    if settings.workers == 0 or settings.cluster.placement == "none":
        return []
    return [model for model in settings.models if model.is_elastic]


def dealt(settings: Settings) -> list[ModelSettings]:
    """Return the models whose replicas are dealt out to workers, which have them all the time."""
    names = {model.name for model in placed(settings)}
    return [model for model in settings.models if model.name not in names]
