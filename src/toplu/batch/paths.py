"""The names of a job's blobs; the folder of a job goes as a whole when the job goes."""

from toplu.job import JobId

JOBS = "jobs"


def folder(job: JobId) -> str:
    """Return the folder that everything of the job lies in."""
    return f"{JOBS}/{job}"


def input_lines(job: JobId) -> str:
    """Return the blob of the requests, one line each, whatever form they came in."""
    return f"{folder(job)}/input.jsonl"


def order(job: JobId) -> str:
    """Return the blob that says in which order the requests run; see `batch.plan.order`."""
    return f"{folder(job)}/order"


def ordered_lines(job: JobId) -> str:
    """Return the blob of the requests in the order in which they run, where reads are calls."""
    return f"{folder(job)}/ordered.jsonl"


def copy_order(job: JobId) -> str:
    """Return the blob of the order that says where in `ordered_lines` the requests lie."""
    return f"{folder(job)}/order-of-copy"


def head_order(job: JobId) -> str:
    """Return the blob of the beginning of the order, of a job that is being ordered."""
    return f"{folder(job)}/order-head"


def waiting(job: JobId, wave: int) -> str:
    """Return the blob that says which lines are of the wave; see `batch.plan.wave_file`."""
    return f"{folder(job)}/wave-{wave}"


def wave_lines(job: JobId, wave: int) -> str:
    """Return the blob of the requests of the wave, expanded, in the order in which they run."""
    return f"{folder(job)}/wave-{wave}.jsonl"


def wave_order(job: JobId, wave: int) -> str:
    """Return the blob of the order of the wave, which says where in `wave_lines` they lie."""
    return f"{folder(job)}/wave-{wave}.order"


def carried(job: JobId) -> str:
    """Return the blob with a byte for each request: 1 if its response came from another job."""
    return f"{folder(job)}/carried"


def answers(job: JobId) -> str:
    """Return the blob that says where the answers lie that others may have."""
    return f"{folder(job)}/answers"


def rendered(job: JobId, name: str) -> str:
    """Return the blob of results in the form of the API that the job came by."""
    return f"{folder(job)}/{name}.rendered.jsonl"


def output_lines(job: JobId) -> str:
    """Return the blob of the results, one line for each request, in input order."""
    return f"{folder(job)}/output.jsonl"
