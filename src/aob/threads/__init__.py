"""Threads of graphs as rows beside events: a command about one thread → rows of one commit, or what is stored of it.
Knows checkpoints, channels and writes by name, and no value: those are bytes that an adapter makes and reads."""

from aob.threads.command.commands import Browse, Recall, Remember, ThreadCommand
from aob.threads.threads import Threads, answer_in, encoded, stream_of

__all__ = ["Browse", "Recall", "Remember", "ThreadCommand", "Threads", "answer_in", "encoded", "stream_of"]
