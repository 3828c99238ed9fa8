"""Keeps what clients name by address from reaching what only this machine or its network can."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol
from urllib.parse import urlsplit

from toplu.errors import InvalidArgument
from toplu.settings.hosts import normalize_host

URI_LENGTH_MAX = 2048
# Where clouds tell their machines secrets, among what is public, or was taken for it by Python.
METADATA = (ipaddress.IPv4Network("168.63.129.16"), ipaddress.IPv4Network("192.0.0.0/24"))
# The rest of such an address is one of IPv4, to which a gateway brings what is sent there.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


class Refused(OSError):
    """The address is one that may not be asked."""


class AddressRules(Protocol):
    """The settings of what may be asked: of webhooks, or of inputs."""

    @property
    def plain_http(self) -> bool:
        """Whether http:// may be asked as well as https://."""
        ...

    @property
    def allowed_networks(self) -> tuple[str, ...]:
        """The addresses that are not public and may be asked all the same."""
        ...


class AddressGuard:
    """Says who may be asked."""

    def __init__(self, rules: AddressRules) -> None:
        self._schemes = ("https", "http") if rules.plain_http else ("https",)
        self._networks = [ipaddress.ip_network(each) for each in rules.allowed_networks]

    def check_uri(self, uri: str, field: str) -> None:
        """Raise InvalidArgument for an address that will never do; names are not looked up."""
        reason = self._fault_of(uri)
        if reason is not None:
            raise InvalidArgument(f"{field}: {reason}.")

    def check(self, host: str) -> None:
        """Raise Refused unless the address may be asked."""
        if not self.allows(ipaddress.ip_address(host)):
            # Not which one: names of this network's own are nothing to tell a client of.
            raise Refused("its address is not a public one")

    def allows(self, address: Address) -> bool:
        """Return whether it is public, or allowed by the settings."""
        inner = _embedded(address)
        if inner is not None:
            return self.allows(inner)
        if any(address in network for network in self._networks):
            return True
        if address.is_multicast or any(address in network for network in METADATA):
            return False
        return address.is_global and not (isinstance(address, IPv6Address) and address.is_reserved)

    def _fault_of(self, uri: str) -> str | None:
        if len(uri) > URI_LENGTH_MAX:
            return f"an address has {URI_LENGTH_MAX} characters at most"
        try:
            parts = urlsplit(uri)
            host, _ = parts.hostname, parts.port
        except ValueError:
            return "is no URI"
        if parts.scheme not in self._schemes or not host or not uri.isprintable() or " " in uri:
            return f"an address begins with {' or '.join(f'{it}://' for it in self._schemes)}"
        if parts.username is not None or parts.password is not None or parts.fragment:
            return "an address has neither a user nor a password nor a fragment"
        return self._fault_of_host(normalize_host(host))

    def _fault_of_host(self, host: str) -> str | None:
        if host == "localhost" or host.endswith(".localhost"):
            host = "127.0.0.1"
        try:
            allowed = self.allows(ipaddress.ip_address(host))
        except ValueError:
            return None  # a name: it is looked up at each try
        return None if allowed else f"{host} is not a public address"


def _embedded(address: Address) -> IPv4Address | None:
    """Return the address of IPv4 that is meant by one of IPv6."""
    if isinstance(address, IPv4Address):
        return None
    if address in NAT64:
        return IPv4Address(address.packed[-4:])
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return None if address.teredo is None else address.teredo[1]
