"""Remembers the jobs that cannot be written, for as long as the disk is full, say."""

from toplu.job import JobId


class StorageFaults:
    """The last fault of each job that waits until it can be written."""

    def __init__(self) -> None:
        self._faults: dict[JobId, str] = {}

    def note(self, job: JobId, fault: Exception) -> None:
        """Take note that something of the job could not be written; it will be tried again."""
        # The rest of a fault, such as a path, is for the operator.
        reason = fault.strerror if isinstance(fault, OSError) else None
        self._faults[job] = reason or "the log of the server has the error"

    def clear(self, job: JobId) -> None:
        """Take note that the job was written, or is gone."""
        self._faults.pop(job, None)

    def of(self, job: JobId) -> str | None:
        """Return what keeps the job from being written, if anything does."""
        return self._faults.get(job)
