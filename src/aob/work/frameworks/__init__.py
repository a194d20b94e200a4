"""Agents of other frameworks go in, functions of (record, ctx) come out. A framework is imported when one of its agents
is given; nothing of it is needed without."""

from aob.work.frameworks.adapting import adapted
from aob.work.frameworks.mapping import Foreign, Mapped, jsonable

__all__ = ["Foreign", "Mapped", "adapted", "jsonable"]
