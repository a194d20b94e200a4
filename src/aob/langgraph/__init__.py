"""LangGraph over the rows of a home: its checkpoints → threads, and back. Needs the extra `langgraph`; nothing of it is
imported before this is."""

from aob.langgraph.door import Calls, Door
from aob.langgraph.record_saver import RecordSaver
from aob.langgraph.saver import AobSaver
from aob.langgraph.store import AobStore

__all__ = ["AobSaver", "AobStore", "Calls", "Door", "RecordSaver"]
