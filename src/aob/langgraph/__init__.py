"""LangGraph over the rows of a home: its checkpoints → threads, and back. Needs the extra `langgraph`; nothing of it is
imported before this is."""

from aob.langgraph.door import Calls, Door
from aob.langgraph.saver import AobSaver

__all__ = ["AobSaver", "Calls", "Door"]
