"""Where work may connect to, by the rules of the home; a refusal names the rule. Pure; resolves nothing. Public
addresses are allowed unless `[egress] hosts` lists the allowed hosts. Loopback, private, link-local and all other
special addresses are refused unless the home's `[egress] private` names them; those of cloud metadata only when named
exactly."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final, NoReturn

import msgspec

from aob.core.errors import Invalid, Problem
from aob.work.job import WorkError

IPv4 = ipaddress.IPv4Address
IPv6 = ipaddress.IPv6Address
Address = IPv4 | IPv6

_HOST: Final = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_NUMERIC: Final = re.compile(r"(0x[0-9a-f]*|\d+)")
_RULE: Final = (
    "write a host, an address or a network, with or without a port: "
    "shop.internal:8080, 127.0.0.1:8099, 10.0.0.0/8, [::1]:80"
)
_CGNAT: Final = ipaddress.ip_network("100.64.0.0/10")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL: Final = ipaddress.ip_network("64:ff9b:1::/48")
_COMPATIBLE: Final = ipaddress.ip_network("::/96")
_SPECIAL: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4", "100::/64", "2001::/23", "3fff::/20", "5f00::/16")
)
"""Special by the registries of IANA, even if this Python's tables differ."""

METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192",
        "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
    )
)  # fmt: skip
"""Where clouds give credentials to any process inside."""


class EgressRules(msgspec.Struct, frozen=True):
    """The home's `[egress]`: `private_allowed` (the setting `private`) lists hosts, addresses or networks that are not
    public and may be reached, each with or without `:port`; `hosts_allowed` (the setting `hosts`), when given, lists
    the only hosts that may be (`*.name`)."""

    private_allowed: tuple[str, ...] = ()
    hosts_allowed: tuple[str, ...] | None = None


class EgressError(WorkError):
    """A connection that the rules forbid. Permanent: a retry gives the same answer. `seen` is the address of a name,
    for the log of the home only."""

    seen: str = ""


class Allowed(msgspec.Struct, frozen=True):
    """One parsed rule: a host name (or `*.name`), or a network; port 0 is any."""

    host: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    port: int

    def covers(self, host: str, port: int, address: Address) -> bool:
        """Whether this rule allows a host at this address and port."""
        if self.port not in {0, port}:
            return False
        if self.network is None:
            return address not in METADATA and matches(self.host, host)
        if address in METADATA and self.network.num_addresses > 1:
            return False
        return address.version == self.network.version and address in self.network


class Guard:
    """The parsed rules. Raises Invalid listing every unreadable rule. `version` grows with each change of them."""

    def __init__(self, rules: EgressRules) -> None:
        self.version = 0
        self._parse(rules)

    def change(self, rules: EgressRules) -> None:
        """Other rules count from now on. Raises Invalid, and then the ones before still count."""
        self._parse(rules)
        self.version += 1

    def _parse(self, rules: EgressRules) -> None:
        problems: list[Problem] = []
        private = tuple(_read_all(rules.private_allowed, "egress.private", problems))
        hosts = None if rules.hosts_allowed is None else _read_all(rules.hosts_allowed, "egress.hosts", problems)
        if problems:
            raise Invalid("the egress rules of the home cannot be read", problems)
        self._private, self._hosts = private, None if hosts is None else tuple(hosts)

    def check_scheme(self, scheme: str) -> None:
        """Raises EgressError for anything but http and https."""
        if scheme not in {"http", "https"}:
            raise EgressError(
                f"the scheme {scheme!r} is not served: only http and https are",
                code="egress_refused",
                transient=False,
                detail={"rule": "egress.scheme", "scheme": scheme, "hint": "use an http or https URL"},
            )

    def check_host(self, host: str, port: int) -> None:
        """Raises EgressError when there is a list of hosts and this one is not on it."""
        if self._hosts is None:
            return
        name = host.rstrip(".").lower()
        address = _literal(name)
        for rule in self._hosts:
            if rule.network is None:
                if rule.port in {0, port} and matches(rule.host, name):
                    return
            elif address is not None and rule.covers(name, port, address):
                return
        _refuse("egress.hosts", host, port, "", "is not on the list of hosts that may be reached", "hosts", host)

    def check_address(self, host: str, port: int, text: str) -> None:
        """Raises EgressError when an address that a host resolved to may not be connected to."""
        address = plain(ipaddress.ip_address(text))
        category = category_of(address)
        if not category:
            return
        name = host.rstrip(".").lower()
        if any(rule.covers(name, port, address) for rule in self._private):
            return
        if _literal(name) is None:
            # The caller named a host: its internal address must not be disclosed to it.
            why = f"resolves to a {category} address"
            _refuse("egress.private", host, port, "", why, "private", f"{name}:{port}", seen=str(address))
        shown = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
        _refuse("egress.private", host, port, str(address), f"is a {category} address", "private", shown)


def matches(pattern: str, host: str) -> bool:
    """Whether a host matches a rule; `*.name` matches every host below the name."""
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def plain(address: Address) -> Address:
    """The effective address: IPv4 written as IPv6 is IPv4."""
    if isinstance(address, IPv6) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def category_of(address: Address) -> str:
    """The category of a special address (`loopback`, `private`, ...), or an empty string for a public one."""
    if address in METADATA:
        return "cloud metadata"
    if isinstance(address, IPv6):
        for name, inner in _embedded(address):
            category = category_of(inner)
            if category:
                return f"{name} {category}"
        if address in _NAT64 or address.sixtofour is not None:
            return ""  # a public IPv4 address in IPv6; releases of Python disagree on whether 6to4 is private
        if address in _NAT64_LOCAL:
            return "local NAT64"
        if address.is_site_local:
            return "site-local"
    elif address in _CGNAT:
        return "carrier-grade NAT"
    for name in ("unspecified", "loopback", "link_local", "multicast", "private", "reserved"):
        if getattr(address, f"is_{name}"):
            return name.replace("_", "-")
    special = any(address.version == network.version and address in network for network in _SPECIAL)
    return "reserved" if special or not address.is_global else ""


def _embedded(address: IPv6) -> Iterator[tuple[str, IPv4]]:
    if address.ipv4_mapped is not None:
        yield "mapped", address.ipv4_mapped
    if address.sixtofour is not None:
        yield "6to4", address.sixtofour
    if address.teredo is not None:
        yield "Teredo", address.teredo[1]
    if address in _NAT64:
        yield "NAT64", IPv4(int(address) & 0xFFFFFFFF)
    if address in _COMPATIBLE and int(address) > 1:
        yield "IPv4-compatible", IPv4(int(address))


def _read_all(texts: tuple[str, ...], path: str, problems: list[Problem]) -> list[Allowed]:
    rules = []
    for n, text in enumerate(texts):
        try:
            rules.append(read_rule(text))
        except ValueError as error:
            problems.append(Problem(f"{path}[{n}]", f"{text!r} {error}", code="egress_rule", hint=_RULE))
    return rules


def read_rule(text: str) -> Allowed:
    """Parse one rule of the settings. Raises ValueError with what is wrong."""
    rest = text.strip().lower()
    port = 0
    if rest.startswith("["):
        rest, _, tail = rest[1:].partition("]")
        port = _port(tail.removeprefix(":")) if tail else 0
    elif rest.count(":") == 1:
        rest, _, tail = rest.partition(":")
        port = _port(tail)
    try:
        return Allowed("", ipaddress.ip_network(rest, strict=False), port)
    except ValueError:
        pass
    if not _HOST.fullmatch(rest):
        raise ValueError("is neither a host nor an address")
    if _NUMERIC.fullmatch(rest.rpartition(".")[2]):
        raise ValueError("looks like a number: write the address with four parts")
    return Allowed(rest, None, port)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise ValueError("has a port that is none")
    return int(text)


def is_address(host: str) -> bool:
    """Whether a host is written as an address."""
    return _literal(host) is not None


def _literal(host: str) -> Address | None:
    try:
        return plain(ipaddress.ip_address(host))
    except ValueError:
        return None


def _refuse(
    rule: str, host: str, port: int, address: str, why: str, setting: str, value: str, seen: str = ""
) -> NoReturn:
    what = f"{address} (of {host})" if address and address != host else host
    allows = f'[egress] {setting} = ["{value}"]'
    hint = f"an admin allows it in HOME/aob.toml: {allows}, by `aob settings push` where it is shared"
    error = EgressError(
        f"{what} {why}, refused by {rule}; {hint}",
        code="egress_refused",
        transient=False,
        detail={"rule": rule, "host": host, "port": port, "address": address, "hint": hint},
    )
    error.seen = seen
    raise error
