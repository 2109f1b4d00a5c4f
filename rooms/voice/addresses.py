"""Which of the machine's addresses carry voice, and what browsers are told of them. Plain Python.

A server has more addresses than people should see: bridges of containers, the office network. Without a
setting: people who reach the site on localhost get the loopback and what the machine has; everybody else gets
the public addresses alone, or, on a machine without one, those that are not for the machine itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import ifaddr


class BadAddress(ValueError):
    """A setting names no address or no range of ports."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where voice arrives. With `announced_as`, browsers are told that address instead (a 1:1 NAT)."""

    addresses: tuple[str, ...]
    announced_as: str = ""
    ports: range | None = None
    """None: any free port."""


def choose_listening(
    *, site_url: str, addresses: Sequence[str], host: str, ports: str, machine: Iterable[str]
) -> Listening:
    """Where to listen under these settings on a machine with these addresses. Raises BadAddress."""
    chosen = tuple(_address(each) for each in addresses) or _by_itself(site_url, machine)
    announced_as = _address(host) if host else ""
    if announced_as:
        # A NAT passes on to its own kind only.
        alike = [each for each in chosen if ip_address(each).version == ip_address(announced_as).version]
        chosen = tuple(alike) or chosen
    elif any(ip_address(each).is_unspecified for each in chosen):
        raise BadAddress("an address that stands for all needs VOICE_HOST, the one to name to browsers")
    return Listening(chosen, announced_as, _ports(ports))


def machine_addresses() -> list[str]:
    """Every address of this machine, but for those of a single link."""
    found = [
        ip.ip if isinstance(ip.ip, str) else ip.ip[0] for each in ifaddr.get_adapters() for ip in each.ips
    ]
    return [each for each in found if not ip_address(each.partition("%")[0]).is_link_local]


def _by_itself(site_url: str, machine: Iterable[str]) -> tuple[str, ...]:
    outward = [each for each in machine if not ip_address(each).is_loopback]
    public = [each for each in outward if ip_address(each).is_global]
    if _is_local(urlsplit(site_url).hostname or ""):
        # Browsers that use no loopback for sound can still reach the machine's own addresses.
        return ("127.0.0.1", *(each for each in outward if ip_address(each).version == 4))
    return tuple(public or outward or ["127.0.0.1"])


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _address(text: str) -> str:
    try:
        return str(ip_address(text.strip()))
    except ValueError as error:
        raise BadAddress(f"{text!r} is no IP address") from error


def _ports(text: str) -> range | None:
    if not text:
        return None
    low, _, high = text.partition("-")
    try:
        ports = range(int(low), int(high or low) + 1)
    except ValueError as error:
        raise BadAddress(f"{text!r} is no range of ports, such as 50000-50499") from error
    if not ports or ports[0] < 1 or ports[-1] > 65_535:
        raise BadAddress(f"{text!r} is no range of ports, such as 50000-50499")
    return ports
