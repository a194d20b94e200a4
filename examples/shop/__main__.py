"""`python -m shop`: the shop on loopback, sending its events to a running home, until interrupted.

Prints one JSON line with its port when it listens.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from aob.client import AsyncClient
from shop.service import Service


class Server(uvicorn.Server):
    """A server for the service, quiet, without a lifespan; its signals are `main`'s."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The signal ends the sending, too, so `main` takes it."""
        yield


async def main(options: argparse.Namespace) -> None:
    """Listen, say where, send and serve."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", options.port))
    sock.listen()
    async with AsyncClient(options.server, os.environ.get("AOB_KEY", "")) as aob:
        service = Service(aob, rate=options.rate, seed=options.seed)
        server = Server(service.app())

        def stop() -> None:
            server.should_exit = True

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        if options.with_parent:
            loop.add_reader(sys.stdin.fileno(), stop)  # nothing is ever written to it: it is readable when it ends
        print(json.dumps({"shop": sock.getsockname()[1]}), flush=True)
        sending = asyncio.create_task(service.send())
        try:
            await server.serve(sockets=[sock])
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m shop", description=__doc__)
    parser.add_argument("--server", default="http://127.0.0.1:8080", help="where AOB listens; its key is in AOB_KEY")
    parser.add_argument("--port", type=int, default=7811)
    parser.add_argument("--rate", type=float, default=200.0, help="events a second")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    asyncio.run(main(parser.parse_args()))
