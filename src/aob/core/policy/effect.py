"""The external effects of one node: effect class, hosts and secrets, and whether a home allows it."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from aob.core.graph.compiled.ir import strongest
from aob.core.graph.patch.pointer import Document, Json, member_of, nodes_in, object_of
from aob.core.node import KINDS
from aob.core.node.template import references
from aob.core.policy.host import Host, host_of, matches

_URL_FIELDS: Final = {"http": "url", "notify": "to", "object": "store"}
"""By kind, the config field that may name a host."""

_METHOD_HEADERS: Final = frozenset({"x-http-method-override", "x-http-method", "x-method-override"})


class Free(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Effects that a home lets patches add, change and lead to without approval: nodes of this `kind`; if set, only
    those that name only this `host` (a pattern) and use this `method` (of an object its `op`)."""

    kind: str
    host: str = ""
    method: str = ""


def effect_of(node: Document, handler_effects: Mapping[str, str]) -> str:
    """The strongest effect of node and handlers; the kind's default for unknown handlers: a patch cannot lower it."""
    if node.get("disabled") is True:
        return "none"
    config, kind, verify = member_of(node, "config"), KINDS.get(str(node.get("kind"))), node.get("verify")
    found = [str(node.get("effect") or "none")]
    if any(name.lower() in _METHOD_HEADERS for name in object_of(config.get("headers"))):
        found.append("keyed")  # a header overrides the method of the request
    declared = handler_effects.get(str(config.get("handler"))) if node.get("kind") == "function" else None
    if declared is not None:
        found.append(declared)
    elif kind is not None:
        try:
            found.append(kind.effect(msgspec.convert(config, kind.config)))
        except msgspec.ValidationError:
            found.append("keyed")
    if verify:
        found.append(handler_effects.get(str(verify), "keyed"))
    return strongest(found)


def fills_host(node: Document) -> bool:
    """Whether the input of a request chooses its host, so that no document names it."""
    if node.get("disabled") is True:
        return False
    return any((host := _host(url)) is not None and host.reach == "template" for _, url in named(node))


def asks(node: Document) -> bool:
    """Whether the node asks a person."""
    return node.get("kind") == "approval" and node.get("disabled") is not True


def is_free(node: Document, rules: Iterable[Free]) -> bool:
    """Whether a home allows patches the effect of this node."""
    config, hosts = member_of(node, "config"), [_host(url) for _, url in named(node)]
    method = str(config.get("method", "GET") if node.get("kind") == "http" else config.get("op", ""))
    return any(
        rule.kind == node.get("kind")
        and (not rule.method or rule.method.lower() == method.lower())
        and (not rule.host or (hosts and all(host is not None and matches(host, [rule.host]) for host in hosts)))
        for rule in rules
    )


def _host(url: str) -> Host | None:
    try:
        return host_of(url)
    except ValueError:
        return None


def named(node: Document) -> list[tuple[str, str]]:
    """(config field, URL) of the URLs that a node names; targets by reference name no host."""
    field = _URL_FIELDS.get(str(node.get("kind")))
    if field is None:
        return []
    text = str(member_of(node, "config").get(field, ""))
    by_reference = field != "url" and "://" not in text and not text.startswith(("{", "http:", "https:"))
    return [] if by_reference else [(field, text)]


def hosts_of(node: Document) -> set[str]:
    """The hosts that a node names."""
    return {str(host) for _, url in named(node) if (host := _host(url)) is not None}


def hosts_in(holder: Document) -> set[str]:
    """The hosts named anywhere in a document, bodies included."""
    return {host for _, node in nodes_in(holder) for host in hosts_of(node)}


def secrets_of(node: Document) -> set[str]:
    """The secrets that the config of a node names."""
    found: set[str] = set()
    pending: list[Json] = [node.get("config")]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, str):
            found.update(references(value))
    return found
