"""Which network addresses may be connected to: public ones only, however they are written."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

NAT64 = ipaddress.ip_network("64:ff9b::/96")
NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")


def is_public(address: str) -> bool:
    """Whether an address is reachable by anyone: not private, loopback, link-local, reserved, multicast or unspecified.

    An IPv4 address wrapped in IPv6 (mapped, 6to4, Teredo, NAT64) is judged as the IPv4 address it is.
    """
    try:
        parsed = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    return all(_is_public(one) for one in _unwrapped(parsed))


def _unwrapped(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address.sixtofour:
        return [address.sixtofour]
    if address.teredo:
        return list(address.teredo)
    if address in NAT64:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    return [address]


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    refused = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_reserved
        or address.is_multicast
        or address.is_unspecified
    )
    local = isinstance(address, IPv6Address) and (address.is_site_local or address in NAT64_LOCAL)
    return address.is_global and not refused and not local
