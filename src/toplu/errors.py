"""The one tree of failed calls, each with its google.rpc code and HTTP status.

TopluError
├── InvalidArgument       400  the call itself is wrong; says what and where
│   └── UnsupportedEncoding   415  the body is encoded in a way that is not decoded here
├── FailedPrecondition    400  right call, wrong moment
├── OutOfRange            416  bytes of a file that it does not have
├── Unauthenticated       401
├── PermissionDenied      403  no key; a file that is missing or somebody else's
├── NotFound              404
├── AlreadyExists         409
├── Aborted               409  a concurrent call got there first; try again
├── ResourceExhausted     429  a limit in `settings` is reached
├── Cancelled             499
├── Internal              500
├── Unimplemented         501  known to the Gemini API, not served here
├── Unavailable           503
└── DeadlineExceeded      504
    └── RequestTimeout    408  the headers of the call did not come

A failed *call* is one of these exceptions, rendered only by `api.http.error_responses`. A failed
*request* of a batch is a value, `RequestError`. A failed *job* is a state.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

TYPE_PREFIX = "type.googleapis.com/google.rpc."


QUOTA_METRICS = "generativelanguage.googleapis.com/"
QUOTA_EXCEEDED = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
)
QUOTA_HELP = {
    "description": "Learn more about Gemini API quotas",
    "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
}


class Code(IntEnum):
    """google.rpc.Code, as far as this server answers with it."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class RequestError:
    """The reason why one request of a batch has no response; `code` is the google.rpc number."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field that a client got wrong: its path in proto snake_case, and what is wrong."""

    field: str
    description: str


class TopluError(Exception):
    """A call that failed, with everything a google.rpc.Status needs."""

    code: ClassVar[Code] = Code.UNKNOWN
    http_status: ClassVar[int] = 500
    retry_seconds: float | None = None  # when it may be worth to try again; None: nobody knows

    def __init__(self, message: str, details: tuple[dict[str, Any], ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def as_request_error(self) -> RequestError:
        """Return the same failure as the outcome of one request of a batch."""
        return RequestError(code=int(self.code), message=self.message)


class InvalidArgument(TopluError):
    """The call itself is wrong, whatever the state of the server."""

    code = Code.INVALID_ARGUMENT
    http_status = 400

    @classmethod
    def of_fields(cls, violations: list[FieldViolation]) -> "InvalidArgument":
        """Return one error for all violations, with the BadRequest detail that Google sends."""
        return cls(
            "\n".join(violation.description for violation in violations),
            details=(
                {
                    "@type": f"{TYPE_PREFIX}BadRequest",
                    "fieldViolations": [
                        {"field": violation.field, "description": violation.description}
                        if violation.field
                        else {"description": violation.description}
                        for violation in violations
                    ],
                },
            ),
        )


class UnsupportedEncoding(InvalidArgument):
    """The body is encoded in a way that is not decoded here; the message names it."""

    http_status = 415


class FailedPrecondition(TopluError):
    """The call is right but the resource is not in a state that allows it."""

    code = Code.FAILED_PRECONDITION
    http_status = 400


class OutOfRange(TopluError):
    """The bytes that are asked for are outside of what there is."""

    code = Code.OUT_OF_RANGE
    http_status = 416


class Unauthenticated(TopluError):
    """The credentials are not valid."""

    code = Code.UNAUTHENTICATED
    http_status = 401


class PermissionDenied(TopluError):
    """There are no credentials, or the resource is missing or somebody else's."""

    code = Code.PERMISSION_DENIED
    http_status = 403


class NotFound(TopluError):
    """No such resource in the caller's project."""

    code = Code.NOT_FOUND
    http_status = 404


class AlreadyExists(TopluError):
    """The name is taken."""

    code = Code.ALREADY_EXISTS
    http_status = 409


class Aborted(TopluError):
    """A concurrent call got there first."""

    code = Code.ABORTED
    http_status = 409


class ResourceExhausted(TopluError):
    """A limit is reached."""

    code = Code.RESOURCE_EXHAUSTED
    http_status = 429

    @classmethod
    def of_quota(
        cls,
        quota: str,
        limit: int | str,
        why: str,
        *,
        model: str | None = None,
        retry_seconds: int = 0,
    ) -> "ResourceExhausted":
        """Return the error of a project that has used up a quota, with Google's three details.

        `quota` is its name in snake_case. Without `retry_seconds` waiting does not help.
        """
        retry = f"\nPlease retry in {retry_seconds}s." if retry_seconds else ""
        dimensions = {"location": "global"} | ({} if model is None else {"model": model})
        error = cls(
            f"{QUOTA_EXCEEDED}\n* Quota exceeded for metric: {QUOTA_METRICS}{quota}, limit: {limit}"
            f"{'' if model is None else f', model: {model}'}: {why}{retry}",
            details=(
                {"@type": f"{TYPE_PREFIX}Help", "links": [QUOTA_HELP]},
                {
                    "@type": f"{TYPE_PREFIX}QuotaFailure",
                    "violations": [
                        {
                            "quotaMetric": f"{QUOTA_METRICS}{quota}",
                            "quotaId": "".join(word.title() for word in quota.split("_")),
                            "quotaDimensions": dimensions,
                            "quotaValue": str(limit),
                        }
                    ],
                },
                *(
                    [{"@type": f"{TYPE_PREFIX}RetryInfo", "retryDelay": f"{retry_seconds}s"}]
                    if retry_seconds
                    else []
                ),
            ),
        )
        error.retry_seconds = retry_seconds or None
        return error


class Cancelled(TopluError):
    """The operation was cancelled."""

    code = Code.CANCELLED
    http_status = 499


class Internal(TopluError):
    """A bug or a broken part on the server's side."""

    code = Code.INTERNAL
    http_status = 500


class Unimplemented(TopluError):
    """The Gemini API has it, this server does not serve it."""

    code = Code.UNIMPLEMENTED
    http_status = 501


class Unavailable(TopluError):
    """The server cannot answer at the moment; the same call may succeed later."""

    code = Code.UNAVAILABLE
    http_status = 503


class NoWorker(Unavailable):
    """No worker that has the model is up; batches are accepted all the same."""

    retry_seconds = 1


class DatabaseAway(Unavailable):
    """The rows cannot be had: their server starts anew, or moves to another machine."""

    retry_seconds = 5


class DeadlineExceeded(TopluError):
    """The time allowed ran out."""

    code = Code.DEADLINE_EXCEEDED
    http_status = 504


class RequestTimeout(DeadlineExceeded):
    """The client took too long to say what it wants."""

    http_status = 408


class ConfigurationError(Exception):
    """A setting or the environment makes starting impossible; the message is for the operator."""


def first_of(error: BaseException) -> BaseException:
    """Return the error, or the first one of a group, however deep it lies."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
