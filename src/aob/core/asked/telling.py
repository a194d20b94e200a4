"""The reply to a question, and that nobody waits for one any more."""

import msgspec

from aob.core.value import Cell


class Answered(msgspec.Struct, tag="reply"):
    """The reply to an `ask`, as a message to the stream that has asked."""

    ask: str
    data: Cell
    failed: bool


class GivenUp(msgspec.Struct, frozen=True):
    """The effect of a decision: nobody waits any more for what the agent of this stream does."""

    stream: str
