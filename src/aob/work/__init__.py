"""Performs jobs: handlers and node kinds, called within limits. Work answers only with commands."""

from aob.work.app import load_app
from aob.work.facts import Facts
from aob.work.handlers import HandlerTable, node, scan
from aob.work.intents import Intents
from aob.work.job import STOPPED, UNCERTAIN, Context, Intended, WorkError
from aob.work.traced import under_trace

__all__ = [
    "STOPPED",
    "UNCERTAIN",
    "Context",
    "Facts",
    "HandlerTable",
    "Intended",
    "Intents",
    "WorkError",
    "load_app",
    "node",
    "scan",
    "under_trace",
]
