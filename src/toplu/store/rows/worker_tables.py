"""The tables of the processes that work: each says there what it is and does at the moment.

A worker writes rows with its own id alone; whoever finds it dead removes them.
"""

from sqlalchemy import BigInteger, Column, Float, Index, String, Table, Text

from toplu.store.rows.columns import Moment
from toplu.store.rows.schema import metadata

WORKER = String(64)

workers = Table(
    "workers",
    metadata,
    Column("id", WORKER, primary_key=True),
    # Where it takes interactive calls; null: it takes none from others.
    Column("door", Text),
    Column("started", Moment, nullable=False),
    Column("seen", Moment, nullable=False),
)

replicas = Table(
    "replicas",
    metadata,
    Column("worker", WORKER, primary_key=True),
    Column("engine", Text, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("lanes", BigInteger, nullable=False),
    Column("window", BigInteger, nullable=False),
    Column("work_per_second", Float),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("call_p95_seconds", Float),
)

at_work = Table(
    "at_work",
    metadata,
    # How many lanes of the worker's engine work for the job; see `store.rows.at_work`.
    Column("worker", WORKER, primary_key=True),
    Column("engine", Text, primary_key=True),
    Column("job", String(64), primary_key=True),
    Column("lanes", BigInteger, nullable=False),
    Index("at_work_of_engine", "engine"),
)

steps = Table(
    "steps",
    metadata,
    # Who takes a step of a job; see `store.rows.step_holds`.
    Column("job", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("owner", WORKER, nullable=False),
    Column("expires", Moment, nullable=False),
    Index("steps_of_owner", "owner"),
)

faults = Table(
    "faults",
    metadata,
    # Why the worker cannot write what it has of the job.
    Column("worker", WORKER, primary_key=True),
    Column("job", String(64), primary_key=True),
    Column("reason", Text, nullable=False),
)
