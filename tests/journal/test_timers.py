"""Timers in memory: what is due rings in order, and the heap holds little more than what is due, whatever was moved."""

from hypothesis import given
from hypothesis import strategies as st

from aob.journal import timers as timers_module
from aob.journal.timers import Timers
from aob.ports.store import TimerRow
from aob.testing.world.loop import replaced
from tests.journal.tally import in_virtual_time

MOVES = st.lists(
    st.tuples(st.sampled_from("sdx"), st.sampled_from(["t_1", "t_2", "t_3"]), st.sampled_from("abc"),
              st.integers(0, 50)),
    max_size=200,
)  # fmt: skip


@given(MOVES, st.integers(0, 60))
def test_timers_are_those_that_were_set_and_not_dropped(moves: list[tuple[str, str, str, int]], now: int) -> None:
    async def story() -> None:
        fired: list[tuple[str, str]] = []
        timers = Timers(lambda: now, lambda stream, id: fired.append((stream, id)))
        known: dict[tuple[str, str], int] = {}
        timers.replace([TimerRow("t_1", "a", 7), TimerRow("t_9", "z", 70)])
        known |= {("t_1", "a"): 7, ("t_9", "z"): 70}
        for what, stream, id, due in moves:
            if what == "s":
                timers.set(stream, id, due)
                known[(stream, id)] = due
            else:
                timers.drop(stream, id if what == "d" else "")
                known = {at: ms for at, ms in known.items() if at != (stream, id) and (what == "d" or at[0] != stream)}
            assert len(timers) == len(known)
            assert len(timers._heap) <= 2 * len(known) + 4
        assert timers.next_ms() == min(known.values())
        timers.ring()
        timers.stop()
        due = sorted((ms, *at) for at, ms in known.items() if ms <= now)
        assert fired == [(stream, id) for _, stream, id in due]

    with replaced((timers_module, "DEAD_MIN", 3)):
        in_virtual_time(story)()
