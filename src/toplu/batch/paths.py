"""Where a job's blobs lie; the folder of a job goes as a whole when the job goes."""

from toplu.job import JobId

JOBS = "jobs"


def folder(job: JobId) -> str:
    """Return the folder that everything of the job lies in."""
    return f"{JOBS}/{job}"


def input_lines(job: JobId) -> str:
    """Return the blob of the requests, one line each, whatever form they came in."""
    return f"{folder(job)}/input.jsonl"


def line_index(job: JobId) -> str:
    """Return the blob that says where each line stands in the input; see `batch.line_index`."""
    return f"{folder(job)}/index"


def output_lines(job: JobId) -> str:
    """Return the blob of the results, one line for each request, in input order."""
    return f"{folder(job)}/output.jsonl"
