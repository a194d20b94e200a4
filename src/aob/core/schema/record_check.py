"""The check before a record is appended to a topic: whether its data is what the registry says of the topic. It
says which schema it asked, and the reasons; the caller refuses what has any."""

import msgspec

from aob.core.schema.parsed import data_faults, value_faults
from aob.core.schema.table import Table
from aob.core.schema.wire import framed


class Checked(msgspec.Struct, frozen=True):
    """What the check says: the subject that speaks of the record (empty: none), the id of its schema (0: none), and the
    reasons why it may not be appended (none: it may)."""

    subject: str = ""
    id: int = 0
    reasons: tuple[str, ...] = ()


def subject_of(table: Table, topic: str, type: str = "", *, key: bool = False) -> str:
    """The subject that speaks of the records of a topic: `TOPIC-key` of their keys; of their values `TOPIC-TYPE`, the
    event contract TYPE, or `TOPIC-value`, the first that there is. Empty: none."""
    named = (f"{topic}-key",) if key else (f"{topic}-{type}", type, f"{topic}-value") if type else (f"{topic}-value",)
    return next((name for name in named if table.live(name)), "")


def check_record(table: Table, topic: str, type: str, data: bytes, *, key: bool = False, schema_id: int = 0) -> Checked:
    """Whether a record may be appended. `schema_id` is that of its envelope; without one, a frame before the data names
    it; data without either is JSON, and the newest version counts."""
    subject = subject_of(table, topic, type, key=key)
    if not subject:
        return Checked()
    live = table.live(subject)
    frame = framed(data) if not schema_id else None
    id = schema_id or (frame.id if frame is not None else live[-1].id)
    version = next((each for each in live if each.id == id), None)
    if version is None:
        return Checked(subject, id, (f"the schema {id} is no version of {subject}",))
    schema = table.parsed(version.id)
    plain = frame is None and not schema_id
    found = value_faults(schema, data) if plain else data_faults(schema, frame.data if frame is not None else data)
    return Checked(subject, id, tuple(map(str, found)))
