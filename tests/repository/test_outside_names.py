"""Settings, log events and JSON fields keep their names: files and scripts of users have them."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

import toplu
import toplu.wire.gemini
from support.store.kept_folders import ARCHIVES
from support.store.outside_names import log_events, setting_names, wire_names
from toplu.settings.server import Settings


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda path: path.name)
def names(request: pytest.FixtureRequest) -> Any:
    """The names that an older version wrote down of itself."""
    with tarfile.open(request.param) as archive:
        facts = archive.extractfile("facts.json")
        assert facts is not None
        return json.load(facts)["names"]


def test_every_setting_of_an_older_version_is_one(names: Any) -> None:
    older = set(names["settings"])
    assert "models.echo.delay_seconds" in older
    assert older - setting_names(Settings) == set()


def test_every_field_of_an_older_message_is_one(names: Any) -> None:
    older = set(names["wire"])
    assert "responseJsonSchema" in older
    assert older - wire_names(toplu.wire.gemini) == set()


def test_every_log_event_of_an_older_version_is_one(names: Any) -> None:
    events = log_events(Path(toplu.__file__).parent)
    assert "server_ready" in names["log_events"]
    lost = {
        event: sorted(set(fields) - set(events.get(event, [])))
        for event, fields in names["log_events"].items()
        if event not in events or not set(fields) <= set(events[event])
    }
    assert lost == {}
