"""Checks whether a patch may name a URL under the rules of the home. Resolves no names."""

from collections.abc import Iterator

from aob.core.errors import Problem
from aob.core.policy.host import host_of, matches
from aob.core.policy.rules import PatchRules


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
