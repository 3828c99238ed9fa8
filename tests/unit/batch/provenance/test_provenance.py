"""A job says what computed its answers, once for each engine that did."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from support.store.rows import a_job
from toplu.batch.provenance.model_facts import FactReader
from toplu.batch.provenance.provenance import Provenance
from toplu.job import JobId
from toplu.settings.model import ModelSettings
from toplu.settings.server import Settings
from toplu.store.rows.provenance import ProvenanceRows


@dataclass
class Noted:
    """Rows that remember what was added."""

    added: list[tuple[JobId, bytes]] = field(default_factory=list)

    async def add(self, job: JobId, computed_by: bytes) -> None:
        self.added.append((job, computed_by))


def provenance_of(model: ModelSettings, rows: Noted, **settings: object) -> Provenance:
    facts = FactReader(model, Settings(**settings))
    return Provenance(facts=facts, rows=cast("ProvenanceRows", rows))


async def test_a_job_is_told_once() -> None:
    rows = Noted()
    provenance = provenance_of(ModelSettings(name="m", engine="echo", lanes=3), rows)
    for job in (a_job("one"), a_job("two"), a_job("one")):
        await provenance.note(job)
    assert [job for job, _ in rows.added] == ["one", "two"]
    told = json.loads(rows.added[0][1])
    assert (told["engine"], told["lanes"], told["reproducible"]) == ("echo", 3, False)
    assert told["seeds"] == "of the request, else drawn"
    assert told["modelSha256"] is None


async def test_an_engine_whose_file_is_not_here_yet_is_told_later(tmp_path: Path) -> None:
    rows = Noted()
    model = ModelSettings(name="m", engine="echo", source="hub:owner/repository/model")
    provenance = provenance_of(model, rows, model_dir=tmp_path)
    await provenance.note(a_job())
    assert rows.added == []
    file = tmp_path / "owner--repository" / "model"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    await provenance.note(a_job())
    assert json.loads(rows.added[0][1])["modelSha256"] is not None
