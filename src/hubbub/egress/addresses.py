"""Which IP addresses are the public internet's. Pure.

The tables are IANA's registries of special-purpose addresses (RFC 6890 and what came after it), read strictly: what is
not known to be public is not. `ipaddress.is_global` is of no use here: it changes from version to version of Python,
and does not look into addresses that carry others.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # carriers' own
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's own, inside its machines
            "169.254.0.0/16",  # of this link, and clouds' metadata
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocols' own
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocols' own: Teredo, ORCHID, benchmarks
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "2620:4f:8000::/48",  # AS112
            "3ffe::/16",  # the 6bone's
            "3fff::/20",  # documentation
        ),
    )
)
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 by NAT64 (RFC 6052): where a network speaks IPv6 alone, all of IPv4 is there."""
_ISATAP = (0x00005EFE, 0x02005EFE)
"""The third word of an address whose last is one of IPv4 (RFC 5214)."""


def networks(given: Iterable[str]) -> tuple[Network, ...]:
    """Raises ValueError for what is none (`10.1.0.0/16`)."""
    return tuple(ip_network(each) for each in given)


def parse(text: str) -> Address:
    """Raises ValueError for what is no address, and for one of a zone (`fe80::1%eth0`)."""
    if "%" in text:
        raise ValueError(f"{text!r} is of one link")
    return ip_address(text)


def public(address: Address, allowed: Iterable[Network] = ()) -> bool:
    """Whether strangers may have us ask at `address`: it is public, or in one of the `allowed` networks. One that
    carries another is what it carries."""
    if isinstance(address, IPv6Address) and (carried := _carried(address)) is not None:
        return public(carried, allowed)
    if any(address in each for each in allowed if each.version == address.version):
        return True
    if isinstance(address, IPv4Address):
        return not any(address in each for each in _NOT_PUBLIC_4)
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return False
    return address in _PUBLIC_6 and not any(address in each for each in _NOT_PUBLIC_6)


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that the system or the network makes of it."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
