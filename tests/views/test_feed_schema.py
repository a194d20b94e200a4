"""The schema of feeds is made from the union of events: what a feed tells of any event is what the schema says."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from aob.runs.feed import Fact
from aob.views import entry, events_schema, feed_schemas
from tests.views.test_every_event import CELLS, KINDS, whole

SPEC = Path(__file__).parents[2] / "spec" / "events.schema.json"
SCHEMA = events_schema()
VALID = jsonschema_rs.validator_for(SCHEMA)


def told(event: Any) -> Any:
    return json.loads(msgspec.json.encode(entry(Fact(3, 1, 1_767_225_600_000, "run_1", 4, event, "default"))))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_feed_tells_of_an_event_is_what_the_schema_says(kind: type, cell: msgspec.Raw) -> None:
    shown = told(whole(kind, cell))
    VALID.validate(shown)
    known = SCHEMA["$defs"][f"{kind.__name__}Event"]["properties"]
    assert shown.keys() <= known.keys()
    wrong = {**shown, "seq": "x"}
    assert not VALID.is_valid(wrong)


def test_there_is_a_schema_for_each_event_and_none_besides() -> None:
    assert set(feed_schemas("#/{name}")) == {f"{kind.__name__}Event" for kind in KINDS} | {"RunFeedEvent"}
    with pytest.raises(jsonschema_rs.ValidationError):
        VALID.validate({"seq": 1, "position": "p", "at": 1, "run": "r", "type": "sick"})


def test_the_published_schema_is_this_one() -> None:
    assert json.loads(SPEC.read_text()) == SCHEMA, "python -m tools.make_schema"
