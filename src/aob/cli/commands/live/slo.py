"""`aob slo`: objectives, their remaining budgets, and how fast they burn."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from aob.cli.screen import Screen
from aob.cli.words import Commands, command
from aob.core.metric_answers import SloView

if TYPE_CHECKING:
    from aob.client import AsyncClient


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob slo`."""
    one = command(commands, common, "slo", "list objectives, or show one", slo)
    one.add_argument("name", metavar="NAME", nargs="?")


async def slo(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """All, or one."""
    found = await aob.slos() if args.name is None else [await aob.slo(args.name)]
    screen.listing(
        found if args.name is None else found[0],
        ("objective", "metric", "of", "target", "good", "budget", "burn", "state"),
        map(_row, found),
        none="no objectives",
    )


def _row(row: SloView) -> tuple[str, ...]:
    burn = " ".join(f"{window}:{rate:.1f}" for window, rate in row["burn"].items() if rate is not None)
    return (
        row["name"], row["metric"], row["objective"], _share(row["target"]), _share(row["ratio"]),
        _share(row["budget_left"]), burn, row["state"],
    )  # fmt: skip


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"
