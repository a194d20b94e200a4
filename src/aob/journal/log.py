"""The journal's own log."""

from aob.ports.logger import Logger

_log = Logger("aob.journal")


def logger() -> Logger:
    """The logger of the journal."""
    return _log
