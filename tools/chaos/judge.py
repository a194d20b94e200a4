"""The end of a run of chaos: everything is let run out, then what must hold is looked at from outside. In: the load
with what was acknowledged, the ledger. Out: a line an invariant, with what breaks it."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from tools.chaos.ledger import Ledger
from tools.chaos.load import Load
from tools.chaos.world import EFFECTS, PAYS, THRESHOLDS, TILLS

CALM_S: Final = 3.0
"""So long after the last fault what was sent before it has arrived."""
SETTLE_S_MAX: Final = 180.0
FOLD_S_MAX: Final = 60.0
LOOK_S: Final = 0.3
AT_ONCE: Final = 8
SHOWN: Final = 5
TRACE: Final = "Traceback (most recent call last)"
LINE_MAX: Final = 1_500
FINAL: Final = frozenset(("COMPLETED", "FAILED", "CANCELLED"))


class Held(NamedTuple):
    """An invariant, how much it was looked at on, and what breaks it."""

    what: str
    looked: int
    broken: list[str]


class Judge:
    """Looks at what is left."""

    def __init__(self, load: Load, ledger: Ledger) -> None:
        self._load, self._ledger = load, ledger
        self.runs: dict[str, Any] = {}
        """The runs of the load that have ended."""
        self._visits: dict[str, Counter[str]] = {}
        self._stuck: list[str] = []

    async def settle(self) -> None:
        """Ask again what was never answered, decide what is uncertain by what the ledger says, and wait until every run
        has ended; what has not by then is stuck."""
        await asyncio.sleep(CALM_S)
        load = self._load
        await each(load.start, list(load.starts))
        unsaid = [id for id in load.sales if id not in load.acknowledged]
        for begin in range(0, len(unsaid), 20):
            await load.send(unsaid[begin : begin + 20])
        await load.refuse([id for id in load.bad if id not in load.refused_ids])
        until = time.monotonic() + SETTLE_S_MAX
        left = set(load.run_ids.values())
        while left and time.monotonic() < until:
            await each(load.patch, load.unpatched())
            await each(load.cancel, load.uncancelled())
            await each(load.message, load.waiting())
            await each(self._decide, await load.tickets())
            for run_id, run in zip(left, await each(load.read, list(left)), strict=True):
                if run is not None and run["status"] in FINAL:
                    self.runs[run_id] = run
            left -= set(self.runs)
            await asyncio.sleep(LOOK_S)
        while await load.mend():
            pass
        for run_id in sorted(left):
            told = f", told {load.told[run_id]}" if run_id in load.told else ""
            self._stuck.append(f"{run_id}: {await self._why(run_id)}{told}")

    def alarms(self) -> int:
        """How many alerts must have fired."""
        sales = len(self._load.sales) + len(self._load.bad)
        return sum(sales > each for each in THRESHOLDS) if self._load.alerts else 0

    async def judged(self) -> list[Held]:
        """Every invariant."""
        for run_id, visits in zip(self.runs, await each(self._completions, list(self.runs)), strict=True):
            self._visits[run_id] = visits
        load = self._load
        return [
            Held("what was acknowledged was never seen otherwise", len(load.run_ids) + len(load.sales), load.wrong),
            Held("no run is stuck", len(load.run_ids), self._stuck),
            Held("every run that was acknowledged ended as it must", len(self.runs), list(self._unfinished())),
            Held("a patch that was acknowledged is in its run once", len(load.patched), await self._patches()),
            Held("what was cancelled did nothing", len(load.cancelled), list(self._after_cancel())),
            Held("a map has each of its items", len(load.of("mapped")), list(self._maps())),
            Held("a refused event is a dead letter that was replayed", len(load.bad), await self._letters()),
            Held("a visit has one success", sum(map(len, self._visits.values())), list(self._repeated())),
            Held("what succeeded was asked for outside", len(self._ledger.deeds), list(self._undone())),
            Held("what must happen once was asked for once", len(self._ledger.times("pay")), list(self._twice())),
            Held("what is asked for again has the same key", len(self._ledger.keys("book")), list(self._keys())),
            Held("the feed told of each end once", len(load.finished), await self._told()),
            *[await self._number(*row) for row in self._numbers()],
        ]

    async def _why(self, run_id: str) -> str:
        return str((await self._load.ask(lambda door: door.why(run_id)))["sentence"])

    async def _decide(self, ticket: Any) -> None:
        """Say of an uncertain effect what is true: the person looked outside."""
        if ticket["subject"] == "approval":
            await self._load.decide(ticket, "approve")
        elif ticket["subject"] == "uncertain":
            happened = self._ledger.times("pay")[(ticket["run_id"], ticket["visit"])] > 0
            values = {"output": {"paid": -1}} if happened else None
            await self._load.decide(ticket, "done" if happened else "repeat", values)

    async def _completions(self, run_id: str) -> Counter[str]:
        async def read(door: Any) -> list[Any]:
            return [event async for event in door.timeline(run_id)]

        events = await self._load.ask(read)
        return Counter(event["visit"] for event in events if event["type"] == "node_completed")

    def _workflow(self, run_id: str) -> str:
        return str(self.runs[run_id]["workflow"])

    def _unfinished(self) -> Iterable[str]:
        for run_id, run in self.runs.items():
            if run["status"] != ("CANCELLED" if run["workflow"] == "cancelled" else "COMPLETED"):
                yield f"{run_id} of {run['workflow']} is {run['status']}: {run.get('error')}"

    async def _patches(self) -> list[str]:
        """Patches of runs that are not what was told."""
        load, broken = self._load, list[str]()
        runs = [run_id for run_id in load.patched if run_id in self.runs]
        for run_id, told in zip(runs, await each(self._patches_of, runs), strict=True):
            if told != [(load.patched[run_id], "applied")]:
                broken.append(f"{run_id} has the patches {told}, told was {load.patched[run_id]}")
            if self._visits[run_id]["extra"] != 1:
                broken.append(f"{run_id}: the node of the patch had {self._visits[run_id]['extra']} successes")
        return broken

    async def _patches_of(self, run_id: str) -> list[tuple[str, str]]:
        found = await self._load.ask(lambda door: door.patches(run_id))
        return [(each["patch_id"], each["state"]) for each in found]

    def _after_cancel(self) -> Iterable[str]:
        done = {deed.run for deed in self._ledger.deeds}
        yield from (
            f"{run_id} was cancelled, and asked for something"
            for run_id in self._load.of("cancelled")
            if run_id in done
        )

    def _maps(self) -> Iterable[str]:
        for run_id in self._load.of("mapped"):
            output = (self.runs.get(run_id) or {}).get("output") or {}
            if (output.get("count"), output.get("failed")) != (3, 0):
                yield f"{run_id} gave {output}"

    async def _letters(self) -> list[str]:
        """Refused events that are no dead letters, or were not replayed."""
        states, before = dict[str, set[str]](), 0
        while True:
            page = await self._load.ask(lambda door: door.deadletters(state="", before=before, limit=500))  # noqa: B023
            for letter in page["deadletters"]:
                states.setdefault(letter["id"], set()).add(letter["state"])
            before = page["next"] or 0
            if not before:
                break
        bad = self._load.bad
        return [
            f"{id} was refused, and its letters are {states.get(id)}" for id in bad if states.get(id) != {"replayed"}
        ]

    def _repeated(self) -> Iterable[str]:
        for run_id, visits in self._visits.items():
            yield from (f"{run_id} {visit}: {count} successes" for visit, count in visits.items() if count != 1)

    def _undone(self) -> Iterable[str]:
        done = {(deed.run, deed.visit) for deed in self._ledger.deeds}
        for run_id in self.runs:
            for visit in EFFECTS.get(self._workflow(run_id), ()):
                if (run_id, visit) not in done:
                    yield f"{run_id} {visit} succeeded, and was never asked for"

    def _twice(self) -> Iterable[str]:
        for (run, visit), count in self._ledger.times("pay").items():
            if count > 1:
                yield f"{run} {visit} was asked for {count} times: {self._ledger.deeds_of('pay', run, visit)}"

    def _keys(self) -> Iterable[str]:
        for (run, visit), keys in self._ledger.keys("book").items():
            if len(keys) > 1:
                yield f"{run} {visit} was asked for with {len(keys)} keys"

    async def _told(self) -> list[str]:
        """The feed goes on until it has told all, or for a while."""
        until = time.monotonic() + FOLD_S_MAX
        while time.monotonic() < until:
            if set(self.runs) <= set(self._load.finished):
                break
            await asyncio.sleep(LOOK_S)
        missing = [f"never of {run_id}" for run_id in self.runs if run_id not in self._load.finished]
        return missing + [f"of {run} {count} times" for run, count in self._load.finished.items() if count > 1]

    def _numbers(self) -> list[tuple[str, str, dict[str, float]]]:
        """Metrics by name, their dimension, and what a recount gives."""
        by_till = defaultdict[str, float](float)
        sales = [*self._load.sales.values(), *self._load.bad.values()]
        for till, _ in sales:
            by_till[till] += 1
        payments = [run_id for run_id in self.runs if self._workflow(run_id) in PAYS]
        ended = Counter(self._workflow(run_id) for run_id in self.runs)
        if alarms := self.alarms():
            ended["alarm"] = alarms
        return [
            ("chaos_sales", "till", {till: by_till[till] for till in TILLS if by_till[till]}),
            ("chaos_amount", "", {"": float(sum(amount for _, amount in sales))}),
            ("chaos_payments", "", {"": float(len(payments))}),
            ("runs_finished", "workflow", {name: float(count) for name, count in ended.items()}),
        ]

    async def _number(self, metric: str, by: str, recount: dict[str, float]) -> Held:
        """Whether a metric comes to what a recount gives."""
        until, told = time.monotonic() + FOLD_S_MAX, dict[str, float]()
        while time.monotonic() < until:
            answer = await self._load.ask(lambda door: door.metric(metric, window="all", by=[by] if by else []))
            rows: list[Any] = list(answer.get("rows") or [])
            told = {row["by"][by]: row["value"] for row in rows} if by else {"": answer["value"] or 0}
            if told == recount:
                return Held(f"the number {metric} is a recount", int(sum(recount.values())), [])
            await asyncio.sleep(LOOK_S)
        return Held(f"the number {metric} is a recount", int(sum(recount.values())), [f"{told}, recount {recount}"])


def said(logs: Path) -> Held:
    """What processes said of errors that nobody expected: a trace of calls is one."""
    lines, broken = 0, list[str]()
    for file in sorted(logs.glob("*.log")):
        for line in file.read_text(errors="replace").splitlines():
            lines += 1
            if TRACE in line:
                broken.append(f"{file.stem}: {line[-LINE_MAX:]}")
    return Held("no process broke on anything", lines, broken)


async def each(ask: Callable[[Any], Awaitable[Any]], of: list[Any]) -> list[Any]:
    """Answers for all, some at once."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(what: Any) -> Any:
        async with places:
            return await ask(what)

    return await asyncio.gather(*map(one, of))
