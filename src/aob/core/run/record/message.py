"""Bodies of messages between runs and other streams. Data only."""

import msgspec

from aob.core.run.record.command import Start


class AskStart(msgspec.Struct, tag="start"):
    """Begin a run, confirm it, and report its end. `key` is the sender's own."""

    key: str
    start: Start


class AskEnd(msgspec.Struct, tag="watch"):
    """Report the end of this run; at once if it has ended."""

    run: str


class Started(msgspec.Struct, tag="started"):
    """The run requested under a key exists."""

    key: str
    run: str


class Ended(msgspec.Struct, tag="ended"):
    """A run has ended, with this status."""

    run: str
    status: str


RunMessage = AskStart | AskEnd | Started | Ended
encode_message = msgspec.json.Encoder().encode
decode_message = msgspec.json.Decoder(RunMessage).decode
