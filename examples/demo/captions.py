"""The words of the demo: the title of each act, and on the tour what to look for and time to read it."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import yaml
from rich.console import Console

from demo.prompt import line

WORDS_A_SECOND: Final = 1.8
READ_S_MAX: Final = 60.0


class Act(msgspec.Struct, frozen=True):
    """A title, and what the tour says."""

    title: str
    tour: str


def acts() -> dict[str, Act]:
    """The acts by name, from `acts.yaml` beside this file."""
    text = (Path(__file__).parent / "texts" / "acts.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), dict[str, Act])


class Captions:
    """Announces the acts, in order."""

    def __init__(self, console: Console, *, tour: bool) -> None:
        self._console, self._tour = console, tour
        self._acts = acts()
        self._number = 0

    async def act(self, name: str) -> None:
        """The title of an act; on the tour also what to look for, and time to read it (Enter goes on)."""
        self._number += 1
        act = self._acts[name]
        self._console.print(f"\n[bold]{self._number}. {act.title}[/]")
        if self._tour:
            self._console.print(f"[italic]{act.tour}[/]")
            await self._read(act.tour)

    async def _read(self, text: str) -> None:
        seconds = min(READ_S_MAX, len(text.split()) / WORDS_A_SECOND)
        if not sys.stdin.isatty():
            await asyncio.sleep(seconds)
            return
        self._console.print("[dim](Enter goes on)[/]")
        with suppress(TimeoutError):
            await asyncio.wait_for(line(), seconds)
