"""Remembers the jobs that this process cannot write, for as long as the disk is full, say."""

from collections.abc import Mapping

from toplu.job import JobId


class StorageFaults:
    """The last fault of each job that waits until it can be written."""

    def __init__(self) -> None:
        self._faults: dict[JobId, str] = {}

    def note(self, job: JobId, fault: Exception) -> None:
        """Take note that something of the job could not be written; it will be tried again."""
        self._faults[job] = reason_of(fault)

    def clear(self, job: JobId) -> None:
        """Take note that the job was written, or is gone."""
        self._faults.pop(job, None)

    def of(self, job: JobId) -> str | None:
        """Return what keeps the job from being written, if anything does."""
        return self._faults.get(job)

    def all(self) -> Mapping[JobId, str]:
        """Return what keeps each job from being written."""
        return dict(self._faults)


def reason_of(fault: Exception) -> str:
    """Return what clients are told of a fault; the rest, such as a path, is for the operator."""
    reason = fault.strerror if isinstance(fault, OSError) else None
    return reason or "the log of the server has the error"
