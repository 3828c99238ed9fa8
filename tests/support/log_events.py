"""Finds events in the lines of a log."""

import json
from typing import Any


def matching(lines: list[str], name: str, fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of that name and those fields."""
    found = []
    for line in lines:
        if f'"{name}"' not in line:
            continue
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue  # a child's own words, or a traceback
        if event.get("event") == name and fields.items() <= event.items():
            found.append(event)
    return found
