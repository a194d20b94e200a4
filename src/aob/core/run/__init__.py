"""The law of a run: turns commands into events; the state follows from the events. Pure. `record` holds commands and
events, `state` the state of a run, `stepping` one decision in progress, `paging` the encoding of a whole state."""

from aob.core.run.deciding import AFTER_MAX_MS, decide, hop
from aob.core.run.effects import Effects, Hop, pending, react
from aob.core.run.ending import born
from aob.core.run.inner import end_as
from aob.core.run.state.folding import evolve, fold
from aob.core.run.state.run import Run

__all__ = [
    "AFTER_MAX_MS", "Effects", "Hop", "Run", "born", "decide", "end_as", "evolve", "fold", "hop", "pending", "react",
]  # fmt: skip
