"""What a declared topic takes: types and depths of records, and none while it is read-only. Pure."""

from collections.abc import Iterator

from aob.core.errors import Problem
from aob.core.organisation.parts import Topic


def untaken(topic: Topic, type: str, depth: int, at: str) -> Iterator[Problem]:
    """Why a topic does not take a record of this type and depth, whatever its data; `at` is the path of the record."""
    spec = topic.spec
    if topic.state == "read_only":
        yield Problem(at, f"topic {topic.name} takes no more records", "topic_read_only",
                      hint=f"aob topic undelete {topic.name} keeps it")  # fmt: skip
    if spec.types and type not in spec.types:
        yield Problem(f"{at}/type", f"{type[:80]!r} is not among the types of {topic.name}", "type_not_taken",
                      hint=f"it takes {', '.join(spec.types)}")  # fmt: skip
    if depth > spec.depth_max:
        yield Problem(f"{at}/depth", f"{depth} is beyond the {spec.depth_max} of {topic.name}", "too_deep")
