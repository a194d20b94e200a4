"""The whole: a home in a folder of its own, the books, the platform with its agents, the story."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from rich.console import Console

import aob
from aob.client import AsyncClient, find_place
from demo.api import program
from demo.services import Platform, free_port, fresh_folder
from triage.brains import equipped, settings
from triage.corpus import corpus
from triage.ledger import Ledger, serving
from triage.telling import Telling

ENDED: Final = 143
"""The exit code of a process that was told to end by SIGTERM."""
HERE: Final = Path(__file__).parent


async def demo(folder: Path, *, as_json: bool = False, questions: int = 62, console: Console | None = None) -> int:
    """Run the organisation in a folder of its own (emptied if an earlier demo made it); 0 when all went well, else 1.

    Raises NotFound when the folder is somebody else's, Unavailable when something does not answer or a package is
    missing.
    """
    corpus()
    equipped()
    telling = Telling(console or Console(highlight=False, soft_wrap=True), as_json=as_json)
    told = asyncio.ensure_future(_demo(folder, telling, questions))
    # SIGTERM ends it as Ctrl-C does: with all cleared away, and no process left behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.cancel)
    try:
        wrong = await told
    except asyncio.CancelledError:
        me = asyncio.current_task()
        if me and me.cancelling():
            raise  # Ctrl-C: whoever runs this loop says so
        return ENDED
    for each in wrong:
        telling.line(f"[bold red]{each}[/]")
    return 1 if wrong else 0


async def _demo(folder: Path, telling: Telling, questions: int) -> list[str]:
    from triage.agents import LEDGER, TOPICS  # they need what `corpus` has looked for
    from triage.story import Story

    home = fresh_folder(folder) / "home"
    home.mkdir(mode=0o700)
    (home / "aob.toml").write_text(settings())
    ledger = Ledger()
    async with aob.open(home) as app:  # topics are declared before an agent may consume them
        for topic in TOPICS:
            await app.metrics.create_topic(app.who, topic)
        await app.push_contracts(HERE / "contracts")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(ledger))
        env = {**os.environ, "PYTHONPATH": str(HERE.parent), LEDGER: ledger.url}
        platform = await stack.enter_async_context(Platform(home, HERE / "agents.py", free_port(), env))
        place = find_place(home)
        client = await stack.enter_async_context(AsyncClient(place.url, place.key))
        tells = asyncio.create_task(ledger.tell(client))
        stack.callback(tells.cancel)
        story = Story(telling, client, ledger, platform, lambda words: f"{program()} {words} --home {home}")
        await story.tell(questions)
        telling.line(f"[dim]its home: {home}; look at it with `{program()} up --home {home}` in another terminal[/]")
    return story.wrong
