"""Types that a state may have, and what is refused."""

from typing import Any

import pytest

from aob.core.errors import Invalid
from aob.langgraph import AobSaver
from tests.langgraph.both import Both, config, thread_name
from tests.langgraph.own import Colour, Model, Order


class Plain:
    """What nothing can write."""


@pytest.mark.parametrize("value", [Order(1), Model(number=1), Colour.RED, Plain(), [{"deep": (Order(1),)}], print])
async def test_a_type_that_is_not_allowed_is_refused_by_name_and_nothing_is_written(saver: Both, value: Any) -> None:
    thread = thread_name()
    first = await saver.put(thread, {"x": 1})
    for attempt in (
        saver.put(thread, {"x": value}, first),
        saver.put(thread, {"x": [value]}, first),
        saver.write(thread, first, "task", ("x", value)),
    ):
        with pytest.raises(Invalid) as caught:
            await attempt
        assert caught.value.code == "type_not_allowed"
        assert any(name in str(caught.value) for name in ("Order", "Model", "Colour", "Plain", "builtin"))
        assert "allow=" in caught.value.hint
    found = await saver.get(thread)
    assert (found.checkpoint["id"], found.pending_writes) == (first, [])


async def test_what_is_allowed_comes_back_as_itself_and_only_to_who_allows_it(saver: Both) -> None:
    thread = thread_name()
    allowing = Both(saver.saver.with_allowlist([Order, (Model.__module__, "Model"), Colour]), sync=saver.sync)  # type: ignore[arg-type, list-item]
    values = {"x": [Order(1), Model(number=2)], "y": {"a": Colour.RED}}
    await allowing.put(thread, values)
    assert (await allowing.get(thread)).checkpoint["channel_values"] == values
    with pytest.raises(Invalid, match=r"own\.(Order|Colour)"):
        await saver.get(thread)


def test_bytes_of_a_stranger_make_no_object(file_url: str) -> None:
    with AobSaver.open(file_url, allow=[Order]) as saver:
        checkpoint: Any = {"v": 4, "id": "1", "ts": "", "channel_values": {"x": Order(7)}, "channel_versions": {"x": 1},
                           "versions_seen": {}, "updated_channels": None}  # fmt: skip
        saver.put(config("t"), checkpoint, {}, {"x": 1})
    with AobSaver.open(file_url) as saver:
        with pytest.raises(Invalid, match="Order"):
            saver.get_tuple(config("t"))
        with pytest.raises(NotImplementedError):
            saver.serde.loads_typed(("pickle", b"cos\nsystem\n(S'true'\ntR."))
