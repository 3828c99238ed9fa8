"""Finds the settings among the variables of the environment."""

import re
from collections.abc import Collection, Mapping

import msgspec

from toplu.errors import ConfigurationError
from toplu.settings.mistakes import suggest
from toplu.settings.server import Settings

PREFIX = "TOPLU_"
# Too large for one variable.
TABLES = ("bucket", "cluster", "inputs", "models", "search", "store", "tiers", "webhooks")
# Written with commas.
LISTS = {it.name for it in msgspec.structs.fields(Settings) if it.type == tuple[str, ...]}
OF_CLIENTS = frozenset({"TOPLU_URL", "TOPLU_KEY"})
# Kubernetes sets variables for every service beside a pod, whose name may begin with toplu.
OF_KUBERNETES = re.compile(r"TOPLU_(\w+_)?(SERVICE_(HOST|PORT\w*)|PORT_\d+_(TCP|UDP|SCTP)\w*)")
ADDRESSES = ("tcp://", "udp://", "sctp://")


def find_settings(environment: Mapping[str, str], others: Collection[str | None]) -> dict[str, str]:
    """Return the name of the setting of each variable that is ours.

    Raises ConfigurationError for a variable that begins with TOPLU_ and is no setting, nor one of
    the `others`, which settings name.
    """
    names = {
        PREFIX + name.upper(): name for name in Settings.__struct_fields__ if name not in TABLES
    }
    found: dict[str, str] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX) or variable in OF_CLIENTS or variable in others:
            continue
        if OF_KUBERNETES.fullmatch(variable) or text.startswith(ADDRESSES):
            continue
        if (table := variable.removeprefix(PREFIX).lower()) in TABLES:
            raise ConfigurationError(f"{variable}: {table} stands in a file, see --config")
        if variable not in names:
            raise ConfigurationError(
                f"{variable}: there is no such setting{suggest(variable, names)}"
            )
        found[variable] = names[variable]
    return found


def read_variable(name: str, text: str) -> str | list[str]:
    """Return the value of a setting as a file would have it: a list where it is one."""
    if name not in LISTS:
        return text
    return [each.strip() for each in text.split(",") if each.strip()]
