"""Processes before a home that is held elsewhere: each takes requests of one kind and asks the home's own process."""

from aob.compose.front.serving import front_up, serve_front
from aob.compose.front.streaming import StreamingHome

__all__ = ["StreamingHome", "front_up", "serve_front"]
