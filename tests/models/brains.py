"""Brains for tests: a script made of turns."""

from collections.abc import Sequence
from typing import Any

import msgspec

from aob.backends.script import Script
from aob.testing.conformance.model import Turn

KINDS = {400: "refused", 429: "rate_limited", 500: "server", 503: "overloaded"}


def step(turn: Turn) -> dict[str, Any]:
    """A turn as a step of a script."""
    made: dict[str, Any] = {"usage": {"tokens_in": turn.tokens_in, "tokens_out": turn.tokens_out}, "cut": turn.cut}
    if turn.output is not msgspec.UNSET:
        made["answer"] = turn.output
    if turn.text:
        made["text"] = turn.text.replace("{", "{{").replace("}", "}}")
    if turn.calls:
        made["tools"] = [{"name": name, "args": args} for name, args in turn.calls]
    if turn.hang or turn.status != 200:
        kind = "hang" if turn.hang else KINDS[turn.status]
        made["error"] = {"kind": kind, "retry_after_s": turn.retry_after_s}
    return made


def script(turns: Sequence[Turn], name: str = "play") -> Script:
    """A script whose one rule answers each conversation with these turns."""
    return Script(name, [{"steps": [step(turn) for turn in turns]}] if turns else [])
