"""Certificates for tests, made once in a process: making a key costs a millisecond."""

import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from aob.compose.network import Certificates, init, renew

ROLES: Sequence[tuple[str, ...]] = (
    ("api",), ("coordinator",), ("worker",), ("metrics",), ("fanout",), ("api", "coordinator"),
)  # fmt: skip


def folder(name: str = "ours", days_ago: int = 0) -> Path:
    """A folder with an authority and a certificate for each role; another `name`, another authority. They were made so
    many days ago (or ahead) and count 90 days."""
    return _folder(name, days_ago)


@cache
def _folder(name: str, days_ago: int) -> Path:
    made = Path(_kept().name) / f"{name}-{days_ago}"
    now = datetime.now(UTC)
    if days_ago:  # the same authority, other times
        made.mkdir()
        for file in ("ca.pem", "ca.key"):
            (made / file).write_bytes((folder(name) / file).read_bytes())
        renew(made, ROLES, (), now - timedelta(days=days_ago))
    else:
        init(made, ROLES, (), now - timedelta(days=400))
        renew(made, ROLES, (), now)
    return made


@cache
def _kept() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="aob-certs-")


def certificates(*roles: str, name: str = "ours") -> Certificates:
    """Those of a process."""
    return Certificates(folder(name), roles)


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For both ends of a connection."""
    return certificates("coordinator").server(), certificates("api").client()
