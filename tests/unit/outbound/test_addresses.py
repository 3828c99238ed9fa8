"""Addresses that only this machine or its network can reach are not told."""

import ipaddress

import pytest

from toplu.errors import InvalidArgument
from toplu.outbound.addresses import AddressGuard, Refused
from toplu.settings.outbound import WebhookSettings

NOT_PUBLIC = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",  # metadata of a cloud
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",  # metadata of a cloud, in what is public otherwise
    "169.254.169.254",  # metadata of most clouds
    "172.16.0.1",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo of 127.0.0.1
    "fc00::1",
    "fd00:ec2::254",  # metadata of a cloud
    "fe80::1",
    "fe80::1%lo",
    "ff02::1",
]
PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(Refused, match="is not a public one"):
        AddressGuard(WebhookSettings()).check(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_told(address: str) -> None:
    AddressGuard(WebhookSettings()).check(address)


def test_the_settings_allow_networks_and_nothing_beside_them() -> None:
    guard = AddressGuard(WebhookSettings(allowed_networks=("10.1.0.0/16", "fd12::/64")))
    for allowed in ("10.1.2.3", "::ffff:10.1.2.3", "fd12::1", "8.8.8.8"):
        assert guard.allows(ipaddress.ip_address(allowed))
    for refused in ("10.2.0.1", "127.0.0.1", "fd13::1"):
        assert not guard.allows(ipaddress.ip_address(refused))


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.com/hook",
        "https://example.com:8443/hook?a=b",
        "HTTPS://example.com",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
    ],
)
def test_a_uri_of_a_receiver_is_taken(uri: str) -> None:
    AddressGuard(WebhookSettings()).check_uri(uri, "uri")


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://example.com/hook", "begins with https://"),
        ("ftp://example.com/hook", "begins with https://"),
        ("example.com/hook", "begins with https://"),
        ("https:///hook", "begins with https://"),
        ("", "begins with https://"),
        ("https://example.com/a b", "begins with https://"),
        ("https://example.com/\n", "begins with https://"),
        ("https://user:word@example.com/", "neither a user"),
        ("https://example.com/#part", "neither a user"),
        ("https://example.com:port/", "is no URI"),
        ("https://[::1", "is no URI"),
        ("https://localhost/", "not a public address"),
        ("https://a.localhost./", "not a public address"),
        ("https://127.0.0.1:8765/", "not a public address"),
        ("https://[::ffff:10.0.0.1]/", "not a public address"),
        (f"https://example.com/{'x' * 2048}", "2048 characters at most"),
    ],
)
def test_a_uri_that_will_never_do_is_refused_in_words(uri: str, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        AddressGuard(WebhookSettings()).check_uri(uri, "uri")


def test_the_settings_allow_plain_http() -> None:
    guard = AddressGuard(WebhookSettings(plain_http=True))
    guard.check_uri("http://example.com/hook", "uri")
    with pytest.raises(InvalidArgument, match="not a public address"):
        guard.check_uri("http://127.0.0.1/hook", "uri")
