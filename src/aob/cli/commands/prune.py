"""`aob run prune`: removes runs that ended before an instant, or shows what would be removed."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from typing import Final

from aob.cli.commands.live.rows import instant
from aob.cli.picture import clock
from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, command
from aob.core.answers import Pruned

PROGRESS_RUNS: Final = 10_000
WHY: Final = {
    "needed": "a fork of it lives", "behind": "webhooks or numbers have not read its end yet",
    "unsettled": "its end is being written", "unreadable": "its history cannot be read: aob doctor",
}  # fmt: skip


def add_prune(mine: Commands, common: ArgumentParser) -> None:
    """The word `prune`."""
    one = command(mine, common, "prune", "remove runs that ended before an instant, for good", prune)
    one.add_argument(
        "--before", metavar="DATE", required=True,
        help="a date (its begin in UTC), RFC 3339 with a zone, or how long ago (90d)",
    )  # fmt: skip
    one.add_argument("--workflow", metavar="NAME", help="of this workflow only")
    one.add_argument("--status", type=str.upper, choices=("COMPLETED", "FAILED", "CANCELLED"), help="only these")
    one.add_argument("--reason", default="", help="stands in the record")
    one.add_argument("--dry-run", action="store_true", help="remove nothing: say what would go")


async def prune(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Run steps until there is nothing left to remove."""
    before = instant(args.before)
    assert before is not None
    total, told = Total(), 0
    asked = {"workflow": args.workflow, "status": args.status, "reason": args.reason, "dry_run": args.dry_run}
    async for step in aob.prune(before, **asked):
        total.add(step)
        if total.runs - told >= PROGRESS_RUNS:
            told = total.runs
            screen.note(f"{told:,} runs ...")
    if screen.told(total.told()):
        return
    total.show(screen)


class Total:
    """The sums of all steps."""

    def __init__(self) -> None:
        self.runs = self.events = self.bytes = self.values = self.values_bytes = 0
        self.before: int | None = None
        self.dry_run = False
        self.ended: list[int] = []
        self.records: list[str] = []
        self.workflows, self.kept = Counter[str](), Counter[str]()

    def add(self, step: Pruned) -> None:
        """One more step."""
        self.before, self.dry_run = step["before"], step["dry_run"]
        self.runs += step["runs"]
        self.events += step["events"]
        self.bytes += step["bytes"]
        self.values += step["values"]
        self.values_bytes += step["values_bytes"]
        ends = [at for at in (*self.ended, step["oldest"], step["newest"]) if at is not None]
        self.ended = [min(ends), max(ends)] if ends else []
        self.workflows.update(step["workflows"])
        self.kept.update(step["kept"])
        if step["record"]:
            self.records.append(step["record"])

    def told(self) -> dict[str, object]:
        """As JSON."""
        oldest, newest = self.ended or (None, None)
        return {
            "before": self.before, "dry_run": self.dry_run, "runs": self.runs, "events": self.events,
            "bytes": self.bytes, "values": self.values, "values_bytes": self.values_bytes, "oldest": oldest,
            "newest": newest, "workflows": dict(self.workflows), "kept": dict(self.kept), "records": self.records,
        }  # fmt: skip

    def show(self, screen: Screen) -> None:
        """As people read it."""
        verb = "would go" if self.dry_run else "removed"
        ends = f", which ended {clock(self.ended[0])} to {clock(self.ended[1])}" if self.ended else ""
        screen.line(f"{self.runs:,} runs {verb}{ends}")
        if self.runs:
            values = f"; {self.values:,} larger values of up to {size(self.values_bytes)}" if self.values else ""
            screen.line(f"{self.events:,} events, {size(self.bytes)}{values}")
            rows = sorted(self.workflows.items(), key=lambda row: (-row[1], row[0]))
            screen.table(("workflow", "runs"), ((name, f"{count:,}") for name, count in rows))
        for why, count in sorted(self.kept.items()):
            screen.line(f"{count:,} stay: {WHY.get(why, why)}")
        for record in self.records[-1:]:
            screen.note(
                f"the record: {record}" + (f", and {len(self.records) - 1:,} before it" * (len(self.records) > 1))
            )


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1_024:
            return f"{count:,} {unit}"
        count //= 1_024
    return f"{count:,} GiB"
