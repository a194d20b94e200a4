"""Jobs go in, results come out: handlers and node kinds, called within limits. Work answers only with commands."""

from aob.work.app import load_app
from aob.work.handlers import HandlerTable, node, scan
from aob.work.job import UNCERTAIN, Context, Done, Fault, Intended, Job, WorkError
from aob.work.logs import Logs

__all__ = [
    "UNCERTAIN",
    "Context",
    "Done",
    "Fault",
    "HandlerTable",
    "Intended",
    "Job",
    "Logs",
    "WorkError",
    "load_app",
    "node",
    "scan",
]
