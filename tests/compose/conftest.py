"""An open home on SQLite, as for the verbs."""

from tests.runs.conftest import app, deed

__all__ = ["app", "deed"]
