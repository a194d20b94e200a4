"""The whole demo: starts the services, shows each act, says what there is to try."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console

from aob.client import AsyncClient, find_place
from demo.api import Api
from demo.captions import Captions
from demo.closed_loop import ClosedLoop, shop_service
from demo.database import SCHEMA, demo_store, is_wanted
from demo.services import (
    LOOPBACK,
    Platform,
    equipped,
    example_folder,
    free_port,
    fresh_folder,
    furnish,
    services,
    with_ports,
)
from demo.story import Story

ENDED: Final = 143
"""The exit code of a process that was told to end by SIGTERM."""


async def demo(folder: Path, *, tour: bool = False, console: Console | None = None) -> int:
    """Run the demo in a folder of its own (emptied if an earlier demo made it); 0 when all of it went well.

    Raises NotFound when the example is not installed or the folder is somebody else's, Unavailable when one of
    the services does not answer, or a library of the extra `demo` is missing.
    """
    equipped()
    console = console or Console(highlight=False, soft_wrap=True)
    telling = asyncio.ensure_future(_demo(folder, Captions(console, tour=tour), console))
    # SIGTERM ends it as Ctrl-C does: with all cleared away, and no process left behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, telling.cancel)
    try:
        await telling
    except asyncio.CancelledError:
        me = asyncio.current_task()
        if me and me.cancelling():
            raise  # Ctrl-C: whoever runs this loop says so
        return ENDED
    return 0


async def _demo(folder: Path, captions: Captions, console: Console) -> None:
    example = example_folder()
    folder = fresh_folder(folder)
    home, received = folder / "home", folder / "received"
    async with AsyncExitStack() as stack:
        ports = {**await stack.enter_async_context(services(example, received)), "store": free_port()}
        workflow = furnish(home, example, ports)
        env = await demo_store(os.environ, home) if is_wanted(os.environ) else None
        platform = Platform(home, example / "handlers.py", free_port(), env)
        await stack.enter_async_context(platform)
        place = find_place(home)
        client = await stack.enter_async_context(AsyncClient(place.url, place.key))
        url = f"http://{LOOPBACK}:{ports['shop']}"
        shop = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        api = Api(client, shop, home)
        await captions.act("stage")
        console.print(f"  platform {place.url}   shop {url}   smtp :{ports['smtp']}   webhooks :{ports['hooks']}")
        if env is not None:
            console.print(f"  store Postgres, schema {SCHEMA}")
        pushed = await api.push(workflow)
        console.print(f"  workflow {pushed['workflow']} {pushed['version']}, artifact {pushed['artifact'][:16]}…")
        runs = await Story(console, captions, api, platform, received).tell()
        store = example_folder("shop")
        sending = await stack.enter_async_context(shop_service(store, place.url, place.key, ports["store"]))
        workflow = with_ports((store / "order_incident.yaml").read_text(), ports).encode()
        runs.append(await ClosedLoop(console, captions, api, client, sending).tell(store, workflow))
        await farewell(console, api, runs, example / "handlers.py")


async def farewell(console: Console, api: Api, runs: list[str], handlers: Path) -> None:
    """The ids, what it cost, and three lines to try."""
    console.print("\n[bold]What is left[/]")
    for run_id in runs:
        run = await api.run(run_id)
        cost = run.get("cost") or {}
        spent = f"{cost.get('tokens_in', 0)} + {cost.get('tokens_out', 0)} tokens, {cost.get('cost_usd', 0.0):.4f} USD"
        about = run["inputs"].get("order_id") or run["inputs"].get("metric")
        console.print(f"  {run_id}  {run['status']:<9}  {about}  {spent}")
    console.print("\nThree lines to try; the first one in a terminal of its own:")
    if is_wanted(os.environ):
        console.print(f"  with AOB_STORE=…?schema={SCHEMA} AOB_BLOBS=file:", style="dim")
    console.print(f"  {api.command(f'up --app {shown(handlers)}')}", soft_wrap=True)
    console.print(f"  {api.command(f'run show {runs[0]}')}", soft_wrap=True)
    console.print(f"  {api.command(f'replay {runs[0]} --from ship --mode freeze')}", soft_wrap=True)


def shown(path: Path) -> str:
    """A path as a person would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
