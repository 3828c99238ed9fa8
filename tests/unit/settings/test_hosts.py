import pytest

from toplu.settings.hosts import address_of, is_loopback, normalize_host, origin_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Batch.Example.", "batch.example"),
        ("[FD00:0:0::1]", "fd00::1"),
        ("::1", "::1"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_host_has_one_spelling(name: str, expected: str) -> None:
    assert normalize_host(name) == expected


@pytest.mark.parametrize(
    ("authority", "scheme", "expected"),
    [
        ("a", "", ("a", None)),
        ("a:", "http", ("a", 80)),
        ("A:8765", "http", ("a", 8765)),
        ("[::1]", "https", ("::1", 443)),
        ("[::1]:80", "chrome-extension", ("::1", 80)),
        ("::1", "", None),
        ("user@a", "", None),
        ("a/b", "", None),
        ("a b", "", None),
        ("a:b", "", None),
        ("", "", None),
    ],
)
def test_an_authority_has_a_host_and_a_port(
    authority: str, scheme: str, expected: tuple[str, int | None] | None
) -> None:
    assert address_of(authority, scheme) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://A.example:443/b/C", "https://a.example"),
        ("http://a:80", "http://a"),
        ("http://a:443/", "http://a:443"),
        ("http://[FD00::1]:8080", "http://[fd00::1]:8080"),
        ("chrome-extension://abc", "chrome-extension://abc"),
    ],
)
def test_an_origin_is_written_as_browsers_do(url: str, expected: str) -> None:
    assert origin_of(url) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.255.0.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("128.0.0.1", False),
        ("localhost.evil.example", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
