"""Who a process of a cluster is, and what it may ask of another: a role has the verbs that it needs, by a table. What
stands in no group nobody may ask for."""

import ssl
from collections.abc import Collection, Mapping
from typing import Any, Final

from aob.core.errors import Refused
from aob.core.verbs import TABLE

ROLES: Final = ("api", "coordinator", "worker", "metrics", "fanout")
OWNERS: Final = ("coordinator", "metrics")
"""The roles of processes that own shards."""
PREFIX: Final = "aob:"
"""A role's identity is the URI `aob:ROLE` among a certificate's names."""

_READS: Final = (
    "health", "shard_status",
    "position", "knows", "has", "removed_ms", "position_fits", "holder", "stored_value", "forked",
    "read_milestones", "ticket_of", "milestones", "numbers",
)  # fmt: skip
GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "verbs": frozenset(verb.name for verb in TABLE),
    "views": frozenset(verb.name for verb in TABLE if verb.action == "view"),
    "reads": frozenset(_READS),
    "starts": frozenset(("start_meant",)),
    "threads": frozenset(("thread", "thread_names")),
    "messages": frozenset(("deliver",)),
    "records": frozenset(("topic_append", "topic_trim", "group_move")),
    "record_reads": frozenset(
        (
            "topic_known",
            "topic_value",
            "topic_rows",
            "topic_ends",
            "topic_starts",
            "topic_wait",
            "group_marks",
        )
    ),
    "removal": frozenset(["parts", "erase", "pruned", "sweep_due", "sweep_referred", "sweep_remove"]),
    "home": frozenset(("keyring", "shared_settings", "link_secrets", "home_health", "home_metrics_health")),
    "members": frozenset(("members", "layout")),
    "targets": frozenset(("start_targets",)),
    "callers": frozenset(("keyring", "shared_settings", "home_health", "home_metrics_health")),
    "main": frozenset(["admit", "append", "request_topic", "read_metric", "read_through", "value"]),
}
MOVES: Final = "move_"  # the steps of partitions that move

MEMBER: Final = (
    "verbs", "reads", "starts", "threads", "targets", "messages", "records", "record_reads", "removal",
    "main", "home", "members", MOVES,
)  # fmt: skip
"""Groups of verbs for who may own shards."""
RIGHTS: Final[Mapping[str, tuple[str, ...]]] = {
    "api": ("verbs", "reads", "starts", "threads", "targets", "removal", "main", "home", "members"),
    "coordinator": MEMBER,
    "metrics": MEMBER,
    "fanout": ("views", "reads", "main", "members", "callers"),
    "worker": (),
}
"""Groups of verbs that a role may ask for. A worker speaks the worker protocol only."""


def may_ask(roles: Collection[str], verb: str) -> None:
    """Raises Refused `role_refused`."""
    for role in roles:
        for group in RIGHTS.get(role, ()):
            if verb.startswith(MOVES) if group == MOVES else verb in GROUPS[group]:
                return
    raise Refused(
        f"a process of the role {', '.join(sorted(roles)) or 'none'} may not ask for {verb[:64]!r}",
        code="role_refused", hint="docs/how-to/certificates.md has the table of what a role may ask for",
    )  # fmt: skip


def roles_in(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """The roles in a certificate, as the library of TLS tells of it."""
    names = (certificate or {}).get("subjectAltName", ())
    return frozenset(name.removeprefix(PREFIX) for kind, name in names if kind == "URI" and name.startswith(PREFIX))


_VERIFY: Final = {
    9: "its certificate does not count yet: is one of the two clocks wrong?",
    10: "its certificate has expired: aob certs renew",
    18: "its certificate is not of our authority (ca.pem)",
    19: "its certificate is not of our authority (ca.pem)",
    20: "its certificate is not of our authority (ca.pem)",
    21: "its certificate is not of our authority (ca.pem)",
    26: "its certificate is not made for connections between services",
}
_REASONS: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it showed no certificate",
    "CERTIFICATE_VERIFY_FAILED": "its certificate cannot be checked",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the authority of our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that our certificate has expired: aob certs renew",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept our certificate: is one of the two clocks wrong?",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept our certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of us",
    "WRONG_VERSION_NUMBER": "it speaks no TLS: it listens in plain text, or it is another service",
    "HTTP_REQUEST": "it speaks HTTP without TLS",
    "UNSUPPORTED_PROTOCOL": "it speaks a version of TLS before 1.3",
    "NO_PROTOCOLS_AVAILABLE": "it speaks a version of TLS before 1.3",
}


def reason(error: BaseException) -> str:
    """Why a connection to or from another process ended, in one line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY.get(error.verify_code, f"its certificate is refused: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return _REASONS.get(error.reason or "", f"TLS ended with {error.reason or error}")
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return "it hung up"
    return str(error) or type(error).__name__
