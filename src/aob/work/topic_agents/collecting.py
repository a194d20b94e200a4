"""What an agent sends while it handles a record: collected, and sent with the end of the record."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from aob.core.agent.record import Later, Output
from aob.core.answers import JsonValue
from aob.core.duration import parse_duration
from aob.core.value import canonical, decode
from aob.work.job import WorkError
from aob.work.topic_agents.marking import Agent


class Collecting:
    """The part of a context that asks nobody. `now_ms` is the time of the home."""

    tenant: str
    attempt: int

    def __init__(self, agent: Agent, key: str, state: bytes, now_ms: Callable[[], int]) -> None:
        self._agent, self._now_ms = agent, now_ms
        self._state = _typed(agent.state, decode(state))
        self.outputs: list[Output] = []
        self.later_ones: list[Later] = []
        self.replied: Raw | None = None
        self.requested: set[str] = set()
        """Topics of its own that it has asked for while it handles this record."""
        self.changed = False
        self.agent, self.key = agent.name, key

    @property
    def state(self) -> Any:
        """The state of this key, as `@agent(state=…)` says; None before the first."""
        return self._state

    def set_state(self, state: Any) -> None:
        """The state from the end of this record on."""
        self._state, self.changed = state, True

    def put_state(self, data: bytes) -> None:
        """The same, as JSON of the state."""
        self.set_state(_typed(self._agent.state, decode(data)))

    def emit(self, topic: str, type: str, data: JsonValue = None, *, subject: str = "") -> None:
        """Send a record to a topic at the end of this one; its key is `subject`, or else this key. Raises WorkError
        `topic_undeclared` for a topic that the agent neither says it produces nor has asked for."""
        if topic not in self._agent.produces and topic not in self.requested:
            hint = f'@agent(produces=["{topic}"])'
            why = f"{self.agent} emits to {topic!r}, and does not say that it produces it"
            raise WorkError(why, code="topic_undeclared", transient=False, detail={"hint": hint})
        self.outputs.append(output_of(topic, type, data, subject or self.key))

    def reply(self, data: JsonValue) -> None:
        """Answer the agent that asked, at the end of this record."""
        self.replied = Raw(json_of(data))

    def later(self, after: str | float, data: JsonValue = None, *, name: str = "") -> None:
        """A record to this key itself, after this time; a named one replaces the earlier one of its name."""
        self.later_ones.append(Later(self._now_ms() + parse_duration(after), Raw(json_of(data)), name))

    def forget(self, name: str) -> None:
        """Take a named reminder back."""
        self.later_ones.append(Later(0, None, name))

    def state_data(self) -> bytes | None:
        """The new state as canonical JSON; None if there is none."""
        return json_of(self._state) if self.changed else None


def output_of(topic: str, type: str, data: JsonValue, subject: str) -> Output:
    """A record that an agent produces."""
    written = json_of(data)
    return Output(topic, type, Raw(written), len(written), subject)


def json_of(value: Any) -> bytes:
    """Canonical JSON; of a pydantic model as that says."""
    dump = getattr(value, "model_dump", None)
    return canonical(dump(mode="json") if callable(dump) else value)


def _typed(kind: Any, value: JsonValue) -> Any:
    """A state as its type; None and plain JSON stay."""
    if kind is None or value is None:
        return value
    validate = getattr(kind, "model_validate", None)  # of a pydantic model
    return validate(value) if callable(validate) else msgspec.convert(value, kind)
