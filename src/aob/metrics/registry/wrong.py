"""What the registry says no with: the codes of Confluent's protocol, whose first digits are the HTTP status."""

from typing import Final

SUBJECT_UNKNOWN: Final = 40401
VERSION_UNKNOWN: Final = 40402
SCHEMA_UNKNOWN: Final = 40403
SUBJECT_DELETED: Final = 40404
SUBJECT_NOT_DELETED: Final = 40405
VERSION_DELETED: Final = 40406
VERSION_NOT_DELETED: Final = 40407
NO_LEVEL: Final = 40408
NO_MODE: Final = 40409
INCOMPATIBLE: Final = 409
BAD_SCHEMA: Final = 42201
BAD_VERSION: Final = 42202
BAD_LEVEL: Final = 42203
BAD_MODE: Final = 42204
NOT_PERMITTED: Final = 42205
REFERENCED: Final = 42206
BAD_SUBJECT: Final = 42208


class Wrong(Exception):  # noqa: N818  # an answer of the protocol
    """An answer of the registry that says no."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message[:2_000]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.code // 100 if self.code >= 1_000 else self.code


def subject_unknown(subject: str) -> Wrong:
    """There is no such subject."""
    return Wrong(SUBJECT_UNKNOWN, f"Subject '{subject}' not found.")


def version_unknown(version: int | str) -> Wrong:
    """There is no such version."""
    return Wrong(VERSION_UNKNOWN, f"Version {version} not found.")
