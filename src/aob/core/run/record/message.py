"""What a run is told by other streams, and tells them: bodies of messages. Data only."""

import msgspec

from aob.core.run.record.command import Start


class AskStart(msgspec.Struct, tag="start"):
    """Begin a run, and say so; and say when it ends. `key` is the sender's own."""

    key: str
    start: Start


class AskEnd(msgspec.Struct, tag="watch"):
    """Say when this run ends; at once for one that has."""

    run: str


class Started(msgspec.Struct, tag="started"):
    """The run that was asked for under a key is there."""

    key: str
    run: str


class Ended(msgspec.Struct, tag="ended"):
    """A run has ended, and how."""

    run: str
    status: str


RunMessage = AskStart | AskEnd | Started | Ended
encode_message = msgspec.json.Encoder().encode
decode_message = msgspec.json.Decoder(RunMessage).decode
