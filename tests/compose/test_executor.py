"""An executor performs nothing before its home has said what counts, takes what is newer, and no word that is late."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from aob.backends.memory.records import MemoryRecords
from aob.compose.executor import executor as module
from aob.compose.executor.executor import Executor
from aob.compose.live_settings import NAME, LiveSettings, stated
from aob.compose.settings import Egress, Settings
from aob.core.errors import CallerError, Conflict


def said(*private: str) -> bytes:
    """What a home says counts."""
    return msgspec.json.encode({"egress": {"private": private}, "model": ""})


def executor(own: Settings | None = None) -> tuple[Executor, LiveSettings]:
    """One that knows the kind http, of a folder with these settings."""
    settings = own or Settings()
    live = LiveSettings(settings, stated(Path("nowhere"), settings, {}))
    tools: Any = SimpleNamespace(model=None)
    return Executor(tools, live, ["http"]), live


def test_it_lacks_everything_until_the_home_has_said_what_it_may_connect_to() -> None:
    one, _ = executor()
    assert "not heard" in one.lacks("http")
    one.told(0, said())
    assert (one.lacks("http"), "agent" in one.lacks("agent")) == ("", True)


def test_what_is_newer_counts_and_what_is_late_does_not() -> None:
    one, live = executor()
    for version, rule, counts in (
        (3, "a:1", "a:1"), (2, "late:1", "a:1"), (3, "again:1", "a:1"), (4, "b:1", "b:1"), (3, "late:1", "b:1"),
    ):  # fmt: skip
        one.told(version, said(rule))
        assert (live.now.egress.private, live.version) == ((counts,), max(live.version, version))


def test_a_home_that_shares_no_record_is_believed_each_time() -> None:
    one, live = executor()
    for rule in ("a:1", "b:1"):
        one.told(0, said(rule))
        assert live.now.egress.private == (rule,)


@pytest.mark.parametrize("version", [0, 3])
def test_a_folder_that_states_other_rules_performs_nothing(version: int) -> None:
    one, live = executor(Settings(egress=Egress(private=("own:1",))))
    with pytest.raises(Conflict) as told:
        one.told(version, said("theirs:1"))
    assert (told.value.code, told.value.fields["key"]) == ("settings_differ", "egress.private")
    assert "not heard" in one.lacks("http")
    assert live.now.egress.private == ("own:1",)


def test_what_cannot_be_read_changes_nothing() -> None:
    one, live = executor()
    one.told(1, said("a:1"))
    for data in (b"", b"{", b'{"egress":3}'):
        with pytest.raises(CallerError):
            one.told(2, data)
    assert (live.now.egress.private, live.version) == (("a:1",), 1)


async def test_the_record_of_the_store_counts_only_if_it_is_newer_than_what_the_home_said() -> None:
    one, live = executor()
    following: Any = SimpleNamespace(records=MemoryRecords(lambda: 1))
    await module._shared_egress(following, live)
    for after, rule in enumerate(("first:1", "second:1")):
        await following.records.write(NAME, msgspec.json.encode({"egress": {"private": [rule]}}), after, "bob")
    one.told(3, said("third:1"))
    await module._shared_egress(following, live)
    assert (live.now.egress.private, live.version) == (("third:1",), 3), "the store was read a moment before"
    for after, data in ((2, {"patches": {}}), (3, {"egress": {"private": ["fourth:1"]}})):
        await following.records.write(NAME, msgspec.json.encode(data), after, "bob")
        await module._shared_egress(following, live)
    assert (live.now.egress.private, live.version) == (("fourth:1",), 4)
