"""The role `api`: a process that has no home and serves the verbs of one that another process holds; and what that
process answers it. Any number may stand before one home."""

from aob.compose.api.direct import DirectHome
from aob.compose.api.numbers import ApiNumbers
from aob.compose.api.remote import Holders, RemoteHome
from aob.compose.api.room import HOME_STREAMS, HomeRoom

__all__ = ["HOME_STREAMS", "ApiNumbers", "DirectHome", "Holders", "HomeRoom", "RemoteHome"]
