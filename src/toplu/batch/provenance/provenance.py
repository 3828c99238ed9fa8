"""Has jobs say what computed their answers, before these are."""

from collections import OrderedDict

from toplu.batch.provenance.model_facts import FactReader
from toplu.job import Job, JobId
from toplu.store.rows.provenance import ProvenanceRows
from toplu.wire.gemini import message
from toplu.wire.gemini.batch import Reproducibility

JOBS_MAX = 1024  # that are known to say so

DRAWN, FIXED = "of the request, else drawn", "of the request, else 0"


class Provenance:
    """Notes one engine, once for each job that has answers of it."""

    def __init__(self, *, facts: FactReader, rows: ProvenanceRows) -> None:
        self._facts = facts
        self._rows = rows
        self._noted: OrderedDict[JobId, None] = OrderedDict()

    async def note(self, job: Job) -> None:
        """Return when the job says that the engine computed something of it."""
        if job.id in self._noted:
            return
        facts, model = await self._facts.read(), self._facts.model
        if facts is None:
            return
        computed_by = Reproducibility(
            engine=facts.engine,
            build=facts.build,
            model_sha256=facts.model_sha256,
            template_sha256=facts.template_sha256,
            settings_sha256=facts.settings_sha256,
            lanes=model.lanes,
            seeds=FIXED if model.reproducible else DRAWN,
            reproducible=model.reproducible,
        )
        await self._rows.add(job.id, message.write(computed_by))
        self._noted[job.id] = None
        if len(self._noted) > JOBS_MAX:
            self._noted.popitem(last=False)
