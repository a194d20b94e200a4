"""The patch rules of a home, their version, which approvals are bound to, and the URLs they let a patch name."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec

from aob.core.errors import Problem
from aob.core.policy.effect import Free
from aob.core.policy.host import host_of, matches

AGENTS_MAX: Final = 5
"""Agents that patches may add to a run and its descendants, unless the home or workflow sets a limit."""


class PatchRules(msgspec.Struct, frozen=True):
    """What a home allows patches to do. `hosts_allowed` None means any public host. Private hosts (loopback and
    metadata included) need a line in `private_hosts_allowed`. Patterns: `host`, `host:port`, `*.example.com`, a network
    such as `10.0.0.0/8`. `template_hosts_allowed` permits `{name}` in the host part of a URL. Patches of
    `trusted_kinds` never need approval, all others always do with `always_person`. `free` lists effects without
    approval. With `four_eyes` the person who started a run decides on no patch of it."""

    forbidden_kinds: tuple[str, ...] = ()
    hosts_allowed: tuple[str, ...] | None = None
    private_hosts_allowed: tuple[str, ...] = ()
    template_hosts_allowed: bool = False
    agents_max: int = AGENTS_MAX
    always_person: bool = False
    trusted_kinds: tuple[str, ...] = ()
    free: tuple[Free, ...] = ()
    four_eyes: bool = False

    @property
    def version(self) -> str:
        """The sha256 of the rules, 64 hexadecimal characters: an approval holds only under the same rules."""
        stated = msgspec.structs.asdict(self)
        # Newer fields that are unset do not change the version of a home.
        told = {name: stated[name] for name in stated if stated[name] or name in _FIRST}
        return sha256(msgspec.json.encode(told)).hexdigest()  # in the field order of the first release


_FIRST: Final = frozenset(PatchRules.__struct_fields__) - {"free", "four_eyes"}


def host_problem(path: str, url: str, kind: str, rules: PatchRules) -> Iterator[Problem]:
    """Why a patch may not name the URL in a node of this kind."""
    try:
        host = host_of(url)
    except ValueError as error:
        yield Problem(path, str(error), "host")
        return
    if kind == "http" and host.scheme not in {"http", "https", ""}:
        yield Problem(path, f"`{host.scheme}` is no scheme for http", "host", hint="use https")
    elif host.reach == "template":
        if not rules.template_hosts_allowed:
            hint = "write the host out; `{name}` may stand in the path, the query and the body"
            yield Problem(path, "the host of a URL in a patch cannot be filled in at run time", "host", hint=hint)
    elif host.reach != "public":
        if not matches(host, rules.private_hosts_allowed):
            hint = "a private host needs a line in the home's policy; a patch cannot allow it"
            reach = "an address that hands out credentials" if host.reach == "metadata" else "a private host"
            yield Problem(path, f"`{host}` is {reach}", "private_host", hint=hint)
    elif rules.hosts_allowed is not None and not matches(host, rules.hosts_allowed):
        allowed = ", ".join(rules.hosts_allowed[:8]) or "none"
        yield Problem(path, f"the home does not allow the host `{host}`", "host", hint=f"allowed: {allowed}")
