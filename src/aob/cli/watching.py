"""Waits for a run: prints its events as a spinner or lines, and returns an exit code for its end."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aob.cli.picture import entry_line, entry_state, node_rows, run_head, short
from aob.cli.screen import Screen
from aob.core.answers import RunView

if TYPE_CHECKING:
    from aob.client import AsyncClient, Event

TIME_IS_UP: Final = 7  # the exit code when `--timeout` has passed


async def wait(aob: "AsyncClient", run_id: str, screen: Screen, *, follow: bool, timeout_ms: int | None = None) -> int:
    """Wait for the end of a run, show it, and return the exit code for whether it completed."""
    done: set[str] = set()
    with screen.waiting(f"{run_id} runs") as spinner, suppress(TimeoutError):
        async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1_000):
            async for event in aob.follow(run_id):
                if follow:
                    tell(event, screen)
                else:
                    spinner.update(doing(event, done))
    run = await aob.run(run_id)
    if screen.json:
        if not follow:
            screen.value(run)
    else:
        show_end(run, screen)
    if not run["ended_at"]:
        screen.note(f"the time is up, and the run goes on: aob run wait {run_id}")
        return TIME_IS_UP
    return 0 if run["status"] == "COMPLETED" else 1


def tell(event: "Event", screen: Screen) -> None:
    """Print one event."""
    if not screen.told(event.data):
        screen.state(entry_line(event.data), entry_state(event.data))


def doing(event: "Event", done: set[str]) -> str:
    """The activity of a run, in one line for a spinner."""
    data = event.data
    if event.name == "node_completed":
        done.add(str(data.get("visit", "")))
    if event.name == "ticket_opened":
        return f"waits for a person: aob approve {data.get('id', '')} approve|reject"
    visit = data.get("visit")
    return f"{len(done)} done" + (f", {event.name.replace('_', ' ')}: {visit}" if visit else "")


def show_end(run: RunView, screen: Screen) -> None:
    """Show how a run ended, with its output or its failure."""
    screen.state(run_head(run), run["status"])
    if run["status"] == "COMPLETED":
        screen.line(f"output  {short(run['output'], 2_000)}")
    for visit, state, _, _, note in node_rows(run):
        if state in ("failed", "expired"):
            screen.state(f"  {visit} {state}: {note}", state)
    if run.get("error"):
        screen.state(f"error  {short(run['error'], 2_000)}", "failed")
