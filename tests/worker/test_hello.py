"""What a worker declares of itself fits into one frame, or is refused before a server is asked."""

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("grpc")

from aob.core.errors import Invalid
from aob.core.graph import HandlerFacts
from aob.rpc import BYTES_MAX, DOC_MAX
from aob.work import HandlerTable
from aob.worker import hello_of
from aob.worker.hello import DECLARED_MAX

PLAN: Any = SimpleNamespace(name="w", incarnation="1", labels={}, slots=4)


def declared(count: int, **more: Any) -> Any:
    made = (HandlerFacts(f"h{number}", "v1", doc="word " * 4_000) for number in range(count))
    handlers: Any = HandlerTable()
    handlers.update({each.name: SimpleNamespace(facts=each, secrets=[], **more) for each in made})
    return handlers


def test_long_texts_of_many_handlers_are_cut_to_what_a_home_keeps() -> None:
    hello = hello_of(PLAN, declared(1_000), "b")
    assert {len(each.doc) for each in hello.handlers} == {DOC_MAX}
    assert hello.ByteSize() <= DECLARED_MAX < BYTES_MAX


def test_more_than_a_frame_takes_is_refused_with_what_mends_it() -> None:
    with pytest.raises(Invalid, match="spread them over several workers") as refused:
        hello_of(PLAN, declared(3_000), "b")
    assert refused.value.code == "worker_hello"
