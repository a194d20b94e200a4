"""What the platform remembers of live runs, in pages: given a few at a time while runs go on, read back the same."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from aob.core.run.record.event import NodeFailed, RunFinished, RunStarted, TicketOpened, TokenReady
from aob.metrics.platform.run_events import Telling
from tests.views.test_every_event import whole

NULL = msgspec.Raw(b"null")
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 30).map(lambda n: f"run_{n}"),
        st.sampled_from([RunStarted, TokenReady, NodeFailed, TicketOpened, RunFinished]).map(lambda k: whole(k, NULL)),
    ),
    max_size=60,
)


def read(pages: dict[str, bytes | None]) -> Telling:
    telling = Telling()
    for number in telling.load(pages[""] or b""):
        telling.load(pages[f":{number}"] or b"")
    return telling


@given(EVENTS, st.data())
def test_pages_given_while_runs_go_on_come_to_what_is_remembered(events: list[tuple[str, Any]], data: Any) -> None:
    telling, pages = Telling(), dict[str, bytes | None]()
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=5).map(sorted))
    giving = telling.pages()
    for at, (run, event) in enumerate(events):
        telling.tell(run, event, at)
        if at in cuts and (given := next(giving, None)) is not None:
            pages |= [given]
            continue
        if at in cuts:
            giving = telling.pages()
    pages |= dict(telling.pages())
    pages |= {name: data for name, data in giving if name and name not in pages}
    again = read(pages)
    for run, _ in events:
        assert again.tell(run, whole(NodeFailed, NULL), 99) == telling.tell(run, whole(NodeFailed, NULL), 99)
    assert dict(again.pages(full=True)) == dict(telling.pages(full=True))


def test_what_an_earlier_release_kept_in_one_page_is_read_and_written_in_several() -> None:
    old = {f"run_{n}": ["flow", 5, {"a": 5}, {}] for n in range(3)}
    telling = Telling()
    assert telling.load(msgspec.msgpack.encode(old)) == []
    again = read(dict(telling.pages()))
    assert dict(again.pages(full=True)) == dict(telling.pages(full=True))
    assert again.tell("run_1", whole(RunFinished, NULL), 9) == telling.tell("run_1", whole(RunFinished, NULL), 9)
