"""A line of the log has one value, in SQL as in live numbers: both read it by the gate's decoder."""

import json

from aob.backends.duckdb_serving.decoding import Decoder, listed
from aob.core.contract import read_contracts
from aob.core.ingest import Gate
from aob.ports.event_log import Row

CONTRACT = {"event": "sale", "version": 1, "fields": {"k": "string", "v": "integer"}}
NOW_MS = 1_800_000_000_000


def test_a_key_that_stands_twice_has_the_value_that_live_numbers_count() -> None:
    line = b'{"id":"1","source":"s","type":"sale","time":1,"data":{"k":"a","v":1,"v":2}}'
    contracts = read_contracts({"a.json": json.dumps(CONTRACT)})
    gate = Gate(contracts)
    (event,) = gate.read(line, NOW_MS).events
    row = Row(1, "default", NOW_MS, 0, 1, 0, 0, line, gate.notes([event]))
    ((told,), _) = Decoder(contracts).read(row)
    assert (event.data.v, json.loads(listed([told]))[0]["data"]) == (2, {"k": "a", "v": 2})
    assert listed([told]).count('"v"') == 1
