"""Entries of `[inputs] allow` are addresses that can be fetched."""

import pytest

from toplu.errors import ConfigurationError
from toplu.settings.outbound import InputSettings, check_allowed


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("data.example.com/a/", "is no address"),
        ("https:///a/", "is no address"),
        ("https://data.example.com:x/", "is no address"),
        ("https://data.example.com/a?b=c", "is no address"),
        ("https://user@data.example.com/", "is no address"),
        ("http://data.example.com/", "begins with https://"),
        ("ftp://data.example.com/", "begins with https://, s3://, gs://"),
        ("https://{project}.example.com/", "may stand in the path"),
    ],
)
def test_an_entry_that_is_none_is_named_with_the_reason(entry: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        check_allowed(InputSettings(allow=(entry,)))
    assert entry in str(raised.value)
    assert reason in str(raised.value)


def test_addresses_are_taken() -> None:
    check_allowed(InputSettings(allow=("https://data.example.com/{project}/",)))
    check_allowed(InputSettings(allow=("s3://bucket/{project}/", "gs://bucket/a.jsonl")))
    check_allowed(InputSettings(allow=("http://data.example.com:8080/",), plain_http=True))
