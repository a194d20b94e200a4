"""Records flow in from a feed, frames for people flow out: encoded once, buffered within limits, never dropped."""

from aob.fanout.frame import HEARTBEAT, OPENING, FrameCache, encode_frame, encode_place
from aob.fanout.reader import Limits, Reader, Readers

__all__ = ["HEARTBEAT", "OPENING", "FrameCache", "Limits", "Reader", "Readers", "encode_frame", "encode_place"]
