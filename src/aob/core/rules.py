"""The rules number: by which meaning a document is checked, compiled and replayed, whatever this release would accept.

An artifact keeps the number it was accepted under, its runs and their patches keep that of their artifact. A change of
what a document means, or a new refusal of one, asks for the number; it never holds for what was accepted before.

    1   everything accepted by release 0.1.0
    2   a leading dot is refused; `until` is RFC 3339 with a zone; an expression costs
        at most a million operations (before, ten million);
        the output of a scope is that of its leaves; what is absent is not null; rejected without an edge fails; a
        handler gets the members of an object by name, checked; a wait looks at its `payload`, keys are CEL's
        `string()`; `retry.max` is never below `first`; a loop that ends by `max` is `exhausted`; a
        secret written out in a header is refused, and so is a misspelt role of the
        platform's; the items of a map are one sequence; of the
        effects that a node and its handler declare the strongest counts
    3   the items of a loop that collects are one sequence, as those of a map are
    4   `handlers: pinned` of a workflow and `worker` of a node are read; before, they were unknown
    5   documents mean what they did; releases that know it keep what a tenant declares (topics, agents, schemas)
"""

from typing import Final

from aob.core.errors import Conflict

RULES: Final = 5  # the rules for new documents

WORKER_RULES: Final = 4  # the first rules that choose workers
PAGED_LOOPS_RULES: Final = 3  # the first rules that store a collecting loop's results in pages

SHARED_RULES: Final = 4  # the first rules of releases that follow paused handlers and shared settings
DECLARED_RULES: Final = 5  # the first rules of releases that keep what a tenant declares: others would lose it

LATER: Final = "push it again once every process is of this release and `aob db upgrade --finish` is done"
"""When a home accepts what its present rules do not know."""

FIRST_RULES: Final = 1  # the rules of documents accepted before there was a number


def check_followed(known: int, what: str, since: int = SHARED_RULES) -> None:
    """Raises Conflict `members_differ` where a process may live (or come back) that does not follow a shared record:
    `known` are the newest rules that all of them know, `what` the record in words, `since` the first rules of releases
    that follow it."""
    if known < since:
        raise Conflict(
            f"processes of an older release do not follow {what}", code="members_differ",
            hint="again once every process is of this release and `aob db upgrade --finish` is done",
        )  # fmt: skip
