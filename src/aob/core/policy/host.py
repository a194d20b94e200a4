"""Parses the host of a URL: public, private or unknown until run time (SEMANTICS 5.7). Resolves no names."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

URL_MAX: Final = 8_192  # Characters of a URL in a document.

_AUTHORITY: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)")
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_PRIVATE_SUFFIXES: Final = (
    *("localhost", "local", "localdomain", "internal", "intranet", "lan", "corp", "home", "private", "svc"),
    *("arpa", "test", "invalid", "onion"),
)
METADATA: Final = frozenset({"169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "169.254.170.2"})
"""Addresses at which clouds serve credentials: allowed only where a policy names the exact address."""

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_IPV4_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Host(msgspec.Struct, frozen=True):
    """`name` is lower case ASCII or a canonical address; `*` if filled in at run time. `port` 0: none in the URL."""

    scheme: str
    name: str
    port: int
    reach: Literal["public", "private", "metadata", "template"]

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{name}:{self.port}" if self.port else name


def host_of(url: str) -> Host:
    """The host of a URL. Raises ValueError with the reason when it has none, or an ambiguous one."""
    if len(url) > URL_MAX:
        raise ValueError(f"a URL has at most {URL_MAX} characters")
    scheme, separator, rest = url.partition("://")
    head = scheme + (re.split(r"[/?#]", rest, maxsplit=1)[0] if separator else "")
    if "{" in head or "}" in head:
        return Host(scheme.lower() if separator and scheme.isalnum() else "", "*", 0, "template")
    if any(character.isspace() or character == "\\" or not character.isprintable() for character in url):
        raise ValueError("a URL has no spaces, backslashes or control characters")
    match = _AUTHORITY.match(url)
    if match is None:
        raise ValueError("a URL begins with a scheme and a host, such as https://api.example.com/")
    scheme, authority = scheme.lower(), match[2]
    if "@" in authority:
        raise ValueError("a URL carries no user or password: name a secret by reference")
    name, port = _split(authority)
    address = address_of(name)
    if address is not None:
        return Host(scheme, str(address), port, reach_of(address))
    # A name without a dot is resolved in the search domains of this machine: it is never public.
    private = "." not in name or name.rpartition(".")[2] in _PRIVATE_SUFFIXES
    return Host(scheme, name, port, "private" if private else "public")


def _split(authority: str) -> tuple[str, int]:
    """Name and port; the name in lower case ASCII."""
    if authority.startswith("["):
        name, bracket, rest = authority[1:].partition("]")
        if not bracket or "%" in name or (rest and not rest.startswith(":")):
            raise ValueError("an IPv6 address stands in brackets, without a zone")
        return str(ipaddress.IPv6Address(name)), _port(rest[1:])
    name, _, port = authority.partition(":")
    if "%" in name:
        raise ValueError("a host name is not percent-encoded")
    try:
        # The codec also normalizes full-width digits and ideographic full stops, as resolvers do.
        ascii_name = name.encode("idna").decode().lower()
    except UnicodeError as error:
        raise ValueError("this is no host name") from error
    ascii_name = ascii_name.removesuffix(".")
    if not re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", ascii_name) or ".." in ascii_name:
        raise ValueError("a URL names a host")
    return ascii_name, _port(port)


def _port(text: str) -> int:
    if not text:
        return 0
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65_536:
        raise ValueError("a port is a number from 1 to 65535")
    return int(text)


def address_of(name: str) -> Address | None:
    """The address of a host, in any form that resolvers accept (`127.1`, `0x7f000001`, `017700000001`); None for a
    name. Raises ValueError for a name that ends like an address but is invalid."""
    if ":" in name:
        return ipaddress.IPv6Address(name)
    parts = name.split(".")
    if not _NUMBER.fullmatch(parts[-1]):
        return None
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise ValueError("a host that ends in a number is an IPv4 address")
    numbers = [_number(part) for part in parts]
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(parts)):
        raise ValueError("this is no IPv4 address")
    total = numbers[-1]
    for place, number in enumerate(numbers[:-1]):
        total += number << (8 * (3 - place))
    return ipaddress.IPv4Address(total)


def _number(text: str) -> int:
    if len(text) > 40:
        raise ValueError("this is no IPv4 address")
    if text[:2] in {"0x", "0X"}:
        return int(text[2:] or "0", 16)
    if text.startswith("0") and len(text) > 1:
        return int(text, 8)
    return int(text)


def reach_of(address: Address) -> Literal["public", "private", "metadata"]:
    """Whether an address belongs to the open internet. IPv4 inside IPv6 (mapped, 6to4, Teredo, NAT64) is unwrapped."""
    if str(address) in METADATA:
        return "metadata"
    if isinstance(address, ipaddress.IPv6Address):
        for inner in _embedded(address):
            reach = reach_of(inner)
            if reach != "public":
                return reach
        if address.ipv4_mapped is not None or address in _NAT64:
            return "public"
        if address in _NAT64_LOCAL or address.is_site_local:
            return "private"
    return "public" if address.is_global and not address.is_multicast and not address.is_reserved else "private"


def _embedded(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    low = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    found = [inner for inner in (address.ipv4_mapped, address.sixtofour) if inner is not None]
    if address.teredo is not None:
        found.extend(address.teredo)
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        found.append(low)
    return found


def matches(host: Host, patterns: Sequence[str]) -> bool:
    """Whether a pattern matches the host: `host`, `host:port`, `*.example.com` (below it), a network `10.0.0.0/8`."""
    return any(_match(host, pattern.strip().lower()) for pattern in patterns)


def _match(host: Host, pattern: str) -> bool:
    if pattern in {host.name, str(host), f"[{host.name}]"}:
        return True
    if pattern.startswith("*."):
        return host.name.endswith(pattern[1:]) and len(host.name) > len(pattern) - 1
    if "/" not in pattern or host.reach == "metadata":
        return False
    try:
        return ipaddress.ip_address(host.name) in ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return False
