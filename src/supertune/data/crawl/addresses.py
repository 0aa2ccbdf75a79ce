"""Which addresses may be connected to: public ones, and those that were allowed by number."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from supertune.data.crawl.problems import Problem
from supertune.errors import UserError

Resolver = Callable[[str, int], Sequence[str]]
"""A host name and a port → its addresses, in the order in which to try them; raises OSError where there are none."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Public by number, but answered by the machine's own cloud: Azure's virtual server of the platform.
_PLATFORM = frozenset({ipaddress.IPv4Address("168.63.129.16")})


@dataclass(frozen=True)
class Permission:
    """Addresses that may be connected to although they are not public.

    Attributes:
        network: The addresses; never a name, which might stand for another address tomorrow.
        port: The one port; None for all.
    """

    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    port: int | None = None

    def covers(self, address: _Address, port: int) -> bool:
        """Whether this address and port are allowed."""
        # An IPv4 address is in no IPv6 network, and the other way round.
        return address.version == self.network.version and address in self.network and self.port in (None, port)


def parse_permission(text: str) -> Permission:
    """``127.0.0.1:8080``, ``10.0.0.0/8``, ``[::1]:8080`` or ``fd00::/8``.

    Raises:
        UserError: It is no address or network.
    """
    bracketed = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::(\d+))?", text)
    plain = bracketed or re.fullmatch(r"([0-9.]+(?:/\d+)?)(?::(\d+))?", text)
    network, port = (plain.group(1), plain.group(2)) if plain else (text, None)
    try:
        if port is not None and not 0 < int(port) < 65536:
            raise ValueError("no such port")
        return Permission(ipaddress.ip_network(network), None if port is None else int(port))
    except ValueError as error:
        raise UserError(
            f"{text!r} is no address or network ({error})",
            where="--allow-private",
            fix="give numbers, with or without a port: 10.1.0.0/16, 192.168.1.7:8080, [::1]:8080",
        ) from error


def unfit(address: _Address, port: int, allowed: Sequence[Permission] = ()) -> str | None:
    """Why an address must not be connected to; None if it may be.

    Refused is what is not on the public internet: private, loopback, link-local (cloud metadata among it), shared,
    reserved, multicast and unspecified addresses, and IPv6 forms that carry such an IPv4 address (mapped, 6to4, Teredo,
    NAT64). See the IANA special-purpose address registries (RFC 6890).
    """
    for found in _carried(address) or (address,):
        if any(permission.covers(one, port) for permission in allowed for one in (address, found)):
            continue
        if kind := _kind(found):
            return f"{address} is {kind}" if found is address else f"{address} stands for {found}, which is {kind}"
    return None


def _carried(address: _Address) -> tuple[ipaddress.IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address.sixtofour:
        return (address.sixtofour,)
    if address.teredo:
        return address.teredo
    if address in _NAT64:
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()


def _kind(address: _Address) -> str | None:
    """What kind of special address it is; None for public ones."""
    if address in _PLATFORM:
        return "a cloud platform's own"
    kinds = (
        ("is_unspecified", "unspecified"),
        ("is_loopback", "loopback"),
        ("is_link_local", "link-local"),
        ("is_multicast", "multicast"),
        ("is_private", "private"),
        ("is_reserved", "reserved"),
        ("is_site_local", "site-local"),
    )
    found = next((name for test, name in kinds if getattr(address, test, False)), None)
    return found or (None if address.is_global else "not on the public internet")


def system_resolver(host: str, port: int) -> list[str]:
    """Addresses of a name as this machine knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_addresses(host: str, port: int, resolve: Resolver, allowed: Sequence[Permission] = ()) -> tuple[str, ...]:
    """The addresses of a host, all of them fit to be connected to.

    One unfit address among them is enough to refuse the name: whoever mixes public and private answers is either
    misconfigured or up to something.

    Raises:
        Problem: ``address``, or ``dns`` where the name has none.
    """
    try:
        names: Sequence[str] = [str(ipaddress.ip_address(host))]
    except ValueError:
        try:
            names = resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Problem("dns", f"{host} has no address ({error})", temporary=True) from error
    if not names:
        raise Problem("dns", f"{host} has no address", temporary=True)
    for name in names:
        try:
            address = ipaddress.ip_address(name)
        except ValueError as error:
            raise Problem("address", f"{host} has the address {name!r}, which is none") from error
        if getattr(address, "scope_id", None):
            raise Problem("address", f"{host} has the address {name}, which is of one link only")
        if why := unfit(address, port, allowed):
            raise Problem("address", why if why.startswith(host) else f"{host}: {why}")
    return tuple(names)
