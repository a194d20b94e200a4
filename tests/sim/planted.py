"""Bugs planted on purpose, each a context in which the code is wrong: what the simulated world must be able to find."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from aob.core.errors import AobError
from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from aob.core.run.stepping.step import Step
from aob.journal import Committed, Journal
from aob.journal.batch import Cutter
from aob.journal.deciding import Deciding
from aob.journal.epochs import Epochs
from aob.runs.dispatch import Dispatcher
from aob.runs.laws.run import RunLaw
from aob.testing.world import Options
from aob.testing.world.loop import replaced


def law(name: str) -> Any:
    """A module of the law; its door shows functions of the same names."""
    import importlib

    return importlib.import_module(f"aob.core.run.{name}")


@contextmanager
def ruled(table: dict[type, Any], kind: type, rule: Callable[..., None]) -> Iterator[None]:
    """A table of rules with another rule for one kind."""
    kept = table[kind]
    table[kind] = rule
    try:
        yield
    finally:
        table[kind] = kept


def fence_dropped() -> AbstractContextManager[None]:
    """A result counts for whatever attempt is current, not for the one that made it."""
    decide = law("deciding")
    complete = decide._RULES[cmd.Complete]

    def rule(step: Step, command: cmd.Complete) -> None:
        token = step.run.tokens.get(command.visit)
        if token is not None:
            command = cmd.Complete(command.visit, token.attempt, command.output, command.digest)
        complete(step, command)

    return both(ruled(decide._RULES, cmd.Complete, rule), replaced((RunLaw, "quick", lambda *_: None)))


def attempt_limit_dropped() -> AbstractContextManager[None]:
    """A visit is tried again for ever."""
    decide = law("deciding")

    def rule(step: Step, command: cmd.Fail) -> None:
        token = decide._token(step, command.visit, command.attempt)
        if token is not None:
            step.events.append(ev.AttemptFailed(token.visit, token.attempt, command.error, step.now))
            step.set_timer(f"retry{token.attempt}:{token.visit}", token.visit, "retry", step.now)

    return ruled(decide._RULES, cmd.Fail, rule)


def skip_not_propagated() -> AbstractContextManager[None]:
    """A skipped node forgets to tell those behind it."""
    return replaced((Step, "starve", lambda *_: None))


def effect_leaves_before_commit() -> AbstractContextManager[None]:
    """Jobs go out when they are decided, not when they are durable."""
    fold = Deciding._fold

    def early(self: Any, draft: Any, stream: Any, verdict: Any) -> None:
        fold(self, draft, stream, verdict)
        self.on_commit(Committed(draft.row, draft.at_ms, draft.told[-1:]))

    return replaced((Deciding, "_fold", early))


def answer_before_commit() -> AbstractContextManager[None]:
    """Whoever asks is answered before anything is written."""
    decide_one = Deciding._decide_one

    def early(self: Any, draft: Any, stream: Any, asked: Any) -> None:
        decide_one(self, draft, stream, asked)
        if draft.answers and draft.answers[-1][0] is asked and not isinstance(draft.answers[-1][1], AobError):
            _, answer = draft.answers.pop()
            asked.future.set_result(answer)

    return replaced((Deciding, "_decide_one", early))


def evolve_forgets_an_event() -> AbstractContextManager[None]:
    """A timer that has fired stays in the state."""
    return ruled(law("state.folding")._HANDLERS, ev.TimerDone, lambda run, event: None)


def cancelled_tokens_live_on() -> AbstractContextManager[None]:
    """A visit that was cancelled has its outcome, and keeps its token too."""
    handlers = law("state.folding")._HANDLERS
    cancelled = handlers[ev.TokensCancelled]

    def rule(run: Any, event: ev.TokensCancelled) -> None:
        kept = {visit: run.tokens[visit] for visit in event.visits if visit in run.tokens}
        cancelled(run, event)
        run.tokens.update(kept)

    return ruled(handlers, ev.TokensCancelled, rule)


def commit_retried() -> AbstractContextManager[None]:
    """A commit without a reply is simply written again, as the next row."""
    write = Journal._write

    async def again(self: Any, draft: Any, batch: Any) -> Any:
        try:
            return await write(self, draft, batch)
        except AobError:
            last, _, _ = await self.store.inner.last()
            batch.row = last + 1
            return await self.store.inner.commit(batch)

    return replaced((Journal, "_write", again))


def signals_miscounted() -> AbstractContextManager[None]:
    """A signal of a skipped edge counts as taken."""
    evolve = law("state.folding")
    feed = evolve.feed

    def wrong(scope: Any, fed: list[str], starved: list[str]) -> None:
        feed(scope, [*fed, *starved], [])

    return replaced((evolve, "feed", wrong))


def join_counts_one_less() -> AbstractContextManager[None]:
    """A node goes on when all but one of its signals are there."""
    step = law("stepping.step")

    def hasty(target: Any, taken: int, skipped: int) -> str:
        if taken + skipped < max(1, target.need - 1):
            return "wait"
        return "run" if taken else "skip"

    return both(replaced((step, "verdict_of", hasty)), replaced((law("patching"), "verdict_of", hasty)))


def cut_too_far() -> AbstractContextManager[None]:
    """A cut lets recovery begin after rows that no segment holds."""
    take = Cutter.take

    def wrong(self: Any, draft: Any, limit: int = 256) -> Any:
        segments = take(self, draft, limit)
        if draft.cut:
            draft.cut = draft.row
        return segments[: len(segments) // 2]

    return replaced((Cutter, "take", wrong))


def uncertain_is_repeated() -> AbstractContextManager[None]:
    """An effect that was cut off is simply done again."""
    decide = law("deciding")

    def rule(step: Step, command: cmd.Lost) -> None:
        token = decide._token(step, command.visit, command.attempt)
        if token is not None:
            step.events.append(ev.TokenReady(token.visit, token.attempt + 1, "lost"))

    return ruled(decide._RULES, cmd.Lost, rule)


def recovery_forgets_jobs() -> AbstractContextManager[None]:
    """After a start, tokens that were ready are not dispatched again."""
    recovered = Dispatcher.recovered

    def forgetful(self: Any, found: Any) -> None:
        found.streams = {name: stream for name, stream in found.streams.items() if stream.law.kind != "run"}
        recovered(self, found)

    return replaced((Dispatcher, "recovered", forgetful))


def stamp_not_checked() -> AbstractContextManager[None]:
    """What began on a commit that was lost counts all the same."""
    return replaced((Epochs, "counts", lambda *_: True))


AHEAD: Final = Options(
    swarm=True, runs=30, fast=1.0, pure=1.0, commit_fails=0.25, commit_replies_lost=0.1, commit_slow=0.5, slow_ms=100,
    crash=0.02, usurp=0.02, transient=0.2, duplicate=0.3, late=0.5, delay_ms=2_000, ticks=60,
)  # fmt: skip
"""Worlds of fast runs whose steps have no effect, and whose commits fail: whoever was not answered asks for something
else under the same key."""


@contextmanager
def both(one: AbstractContextManager[None], other: AbstractContextManager[None]) -> Iterator[None]:
    with one, other:
        yield


PLANTED: dict[Callable[[], AbstractContextManager[None]], float] = {
    fence_dropped: 0.05,
    attempt_limit_dropped: 0.3,
    skip_not_propagated: 0.3,
    effect_leaves_before_commit: 0.7,
    answer_before_commit: 0.7,
    evolve_forgets_an_event: 0.6,
    cancelled_tokens_live_on: 0.3,
    commit_retried: 0.3,
    signals_miscounted: 0.2,
    join_counts_one_less: 0.2,
    cut_too_far: 0.5,
    uncertain_is_repeated: 0.1,
    recovery_forgets_jobs: 0.4,
}
"""Each bug and the least share of worlds that must find it."""
