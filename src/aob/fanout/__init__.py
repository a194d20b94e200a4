"""Delivers records of a feed to readers: each is encoded once, buffered within limits and never dropped."""

from aob.fanout.frame import HEARTBEAT, OPENING, FrameCache, encode_frame, encode_place
from aob.fanout.reader import Limits, Reader, Readers

__all__ = ["HEARTBEAT", "OPENING", "FrameCache", "Limits", "Reader", "Readers", "encode_frame", "encode_place"]
