"""Errors that no handler raised for a client are answered without what is the operator's."""

import errno
from typing import Any

import pytest
from starlette.requests import Request

from toplu.api.http.error_responses import failure_of, headers_of
from toplu.disk_faults import StorageAway
from toplu.errors import Internal, Unavailable


@pytest.fixture
def request_of_nobody() -> Request:
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/v1beta/batches"}
    return Request(scope | {"headers": [], "query_string": b"", "server": ("test", 80)})


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_full_disk_is_a_storage_that_cannot_be_written(
    request_of_nobody: Request, number: int
) -> None:
    failure = failure_of(request_of_nobody, OSError(number, "As it is", "/secret/path"))
    assert isinstance(failure, Unavailable)
    assert "cannot write to its storage at the moment: As it is." in failure.message
    assert "secret" not in failure.message


def test_a_database_that_is_away_is_worth_another_try(request_of_nobody: Request) -> None:
    failure = failure_of(request_of_nobody, StorageAway())
    assert isinstance(failure, Unavailable)
    assert headers_of(failure) == {"Retry-After": "5"}


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), ValueError("a bug")])
def test_everything_else_is_an_internal_error(request_of_nobody: Request, error: Exception) -> None:
    assert isinstance(failure_of(request_of_nobody, error), Internal)
