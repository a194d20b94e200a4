"""Whom callers of tests trust, read once in a process: it takes 25 ms, and most tests of a server make a caller."""

import os
import ssl
from collections.abc import Callable
from functools import cache
from typing import Any

from httpx._transports import default as transports

NAMING = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def shared(made: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
    """`made`, which makes one context for all that name neither their own authorities nor a certificate."""

    @cache
    def once(trust_env: bool, *naming: str | None) -> ssl.SSLContext:
        return made(trust_env=trust_env)

    def given(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is not True or cert is not None:
            return made(verify=verify, cert=cert, trust_env=trust_env)
        return once(trust_env, *map(os.environ.get, NAMING))

    return given


def share() -> None:
    """From now on."""
    transports.create_ssl_context = shared(transports.create_ssl_context)
