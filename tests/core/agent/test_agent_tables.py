"""The tables of the law of an agent's key are whole: a rule for every command, a fold for every event."""

from types import UnionType
from typing import get_args

import pytest

from aob.core.agent.deciding import _RULES
from aob.core.agent.folding import _HANDLERS
from aob.core.agent.record.command import KeyCommand
from aob.core.agent.record.event import KeyEvent
from aob.core.agent_name import agent_key_of, agent_stream
from aob.core.event import partition_of


@pytest.mark.parametrize(("table", "union"), [(_RULES, KeyCommand), (_HANDLERS, KeyEvent)])
def test_a_table_has_each_of_its_union(table: dict[type, object], union: UnionType) -> None:
    assert set(table) == set(get_args(union))


def test_no_two_events_have_one_number_and_none_has_changed_its_own() -> None:
    tags = {event.__name__: event.__struct_config__.tag for event in get_args(KeyEvent)}
    assert [*tags.values()] == list(range(1, len(tags) + 1))


@pytest.mark.parametrize(
    "key", ["", "ann", "a/b/c", 'a"b\\c', "ü 1%2", "\x00\n", "agent/t/a/k", "agent/t/a/agent/t/a/k"]
)
def test_a_key_is_in_the_partition_of_the_records_that_it_is_for(key: str) -> None:
    stream = agent_stream("default", "org.shop.triage", key)
    assert agent_key_of(stream) == key
    for partitions in (64, 128, 256):
        assert partition_of(stream, partitions) == partition_of(key, partitions)
    assert stream.isprintable()
    assert not set(stream) & set('"\\')


def test_the_partition_of_other_streams_is_what_it_was() -> None:
    found = [partition_of(name, 64) for name in ("run_01", "order-1", "agent", "agent/x", "agents/a/b/c", "")]
    assert found == [34, 47, 29, 47, 26, 0]
