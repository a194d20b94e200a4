"""What a Postgres server or its driver says, as an error of ours: what is away, where, and the line that mends it."""

from typing import Final, NamedTuple

import psycopg

from aob.backends.postgres.address import Address
from aob.core.errors import AobError, Conflict, Unavailable


class Fault(NamedTuple):
    """An error code of ours and the line that mends it."""

    code: str
    hint: str


LOGIN: Final = (
    ("password authentication failed", "the user or the password is wrong: look at {setting}"),
    ("no password supplied", "{setting} needs a password: postgresql://user:password@host/database"),
    ("no pg_hba.conf entry", "the server's pg_hba.conf admits no such user from here; it may want ?sslmode=require"),
    ("permission denied for database", "the owner grants it: grant connect on database … to …"),
    ("not permitted to log in", "the owner grants it: alter role … login"),
    ('database "', "make the database first (createdb), then `aob db init`"),
    ('role "', "`aob db init` with the owner's URL makes the role of the service"),
    ("does not support SSL", "the server has no TLS: leave sslmode out of the URL, or set TLS up there"),
    ("channel binding required", "the server has no TLS: leave channel_binding out of the URL, or set TLS up there"),
    ("is bad: invalid", "a parameter of the URL has no such value: look at what stands behind the ? of {setting}"),
    ("definition of service", "the URL names a service that pg_service.conf has not: leave it out of {setting}"),
    ("requires a value", "what options= of the URL says is none: look at what stands behind the ? of {setting}"),
    ("certificate", "the server's certificate does not pass: see sslmode and sslrootcert of the URL"),
)
"""What a server says when it refuses a login, and how to mend it."""

UNREACHED: Final = (
    ("could not translate host name", "the host is not known: look for a typing error in {setting}"),
    ("failed to resolve host", "the host is not known: look for a typing error in {setting}"),
    ("onnection refused", "nothing listens there: is the server started, are host and port right?"),
    ("No such file", "no server has a socket there: is it started?"),
    ("too many connections", "raise the limit of the role or the database, or put a pooler before it"),
    ("too many clients", "raise max_connections of the server, or put a pooler before it"),
    ("remaining connection slots", "raise max_connections of the server, or put a pooler before it"),
    ("starting up", "the server starts; try again"),
    ("shutting down", "the server stops; try again once it is back"),
    ("session is read-only", "none of the hosts takes writes: is a fail-over under way?"),
    ("server is in hot standby mode", "none of the hosts is the primary: is a fail-over under way?"),
    ("timeout", "it does not answer: is the address right, does a firewall stand between?"),
)
"""What is said of a server that is not reached."""

OLDER: Final = "23A0B"
"""The state of our own for a member of a release that the cluster is done with; earlier ones take it for a conflict."""
READ_ONLY: Final = "25006"  # SQLSTATE
BY_ITSELF: Final = "work goes on by itself"
STATES: Final = {
    "08": Fault("store_away", f"{BY_ITSELF} once the server answers"),
    "57P": Fault("store_away", f"the server restarts or stops; {BY_ITSELF} once it is back"),
    "57014": Fault("store_locked", f"a statement took longer than its limit; {BY_ITSELF}"),
    "55P03": Fault("store_locked", f"another transaction holds a lock; {BY_ITSELF}"),
    "40": Fault("store_locked", f"two transactions met; {BY_ITSELF}"),
    "53100": Fault("disk_full", f"free some space on the server; {BY_ITSELF}"),
    "53": Fault("store_away", f"the server has no memory or connection left; {BY_ITSELF}"),
    READ_ONLY: Fault("store_read_only", "it is a replica, or default_transaction_read_only is on: name the primary"),
    "25P03": Fault("store_away", f"a transaction was idle for too long; {BY_ITSELF}"),
    "25P04": Fault("store_locked", f"a transaction took longer than transaction_timeout; {BY_ITSELF}"),
    "28": Fault("store_login", "look at user and password of the URL"),
    "3D": Fault("store_login", "make the database first (createdb), then `aob db init`"),
    "3F": Fault("store_schema", "`aob db check` says what is missing"),
    "42501": Fault("store_rights", "`aob db upgrade` with the owner's URL gives the service its rights again"),
    "42": Fault("store_schema", "`aob db check` says what is missing"),
}
"""SQLSTATE, or the first characters of its class; the longest that fits counts."""


def refused_login(error: psycopg.OperationalError, address: Address, setting: str) -> Unavailable:
    """The error of a connection that was not made."""
    said, where = _first_line(error), f"{address.shown} of {setting}"
    for words, hint in UNREACHED:
        if words in said:
            return Unavailable(f"{where}: {said}", code="store_away", hint=hint.replace("{setting}", setting))
    for words, hint in LOGIN:
        if words in said:
            return Unavailable(f"{where}: {said}", code="store_login", hint=hint.replace("{setting}", setting))
    return Unavailable(f"{where}: {said}", code="store_away", hint="the log of the server says more")


def trouble(error: psycopg.Error, address: Address, *, broken: bool = False) -> AobError:
    """The error of a statement. `broken`: its connection is lost, and `unknown` whether it was carried out."""
    state, said = error.sqlstate or "", f"{address.shown}: {_first_line(error)}"
    if state == OLDER:
        return Conflict(said, code="newer_format", hint="start this process with that release, or a later one")
    if state.startswith("23"):
        return Conflict(said, code="store_conflict", hint="it is there already, or what it refers to is not")
    for length in (5, 3, 2):
        if fault := STATES.get(state[:length]):
            return Unavailable(said, code=fault.code, hint=fault.hint, unknown=broken)
    if not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        hint = f"the server does not answer; {BY_ITSELF} once it does"
        return Unavailable(said, code="store_away", hint=hint, unknown=broken)
    return Unavailable(said, code="store_failed", hint="the log of the server says more", unknown=broken)


def _first_line(error: psycopg.Error) -> str:
    """The server's own words, without the driver's before them and their context after them."""
    text = str(error)
    if "FATAL:" in text:
        text = text.rpartition("FATAL:")[2]
    return text.strip().split("\n")[0][:400]
