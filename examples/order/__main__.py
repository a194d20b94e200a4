"""`python -m order`: the shop, the mail sink and the webhook receiver on loopback, in one process, until interrupted.

Prints one JSON line with their ports when all three listen. What they receive lies in the folder `--keep`.
"""

import argparse
import asyncio
import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from aiosmtpd.smtp import SMTP
from starlette.applications import Starlette

from order.hooks import Hooks
from order.mailbox import Mailbox
from order.orders import generate
from order.shop import Shop


def listening(port: int) -> socket.socket:
    """A socket on loopback; port 0 takes a free one."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen()
    return sock


class Server(uvicorn.Server):
    """A server for one application, quiet, without a lifespan, and without signal handlers of its own."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Two servers live in this process: the signal is for both, so `main` takes it."""
        yield


async def main(options: argparse.Namespace) -> None:
    """Listen, say where, and serve."""
    shop, hooks = listening(options.shop_port), listening(options.hooks_port)
    mail = listening(options.smtp_port)
    mailbox = Mailbox(options.keep / "mail")
    await asyncio.get_running_loop().create_server(lambda: SMTP(mailbox, hostname="localhost"), sock=mail)
    ports = {"shop": shop, "smtp": mail, "hooks": hooks}
    # The sockets listen already: what arrives before a server is up waits in its queue.
    print(json.dumps({name: sock.getsockname()[1] for name, sock in ports.items()}), flush=True)
    servers = {Server(Shop(generate(options.seed, options.orders)).app()): shop}
    servers[Server(Hooks(options.keep / "hooks").app())] = hooks

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if options.with_parent:
        loop.add_reader(sys.stdin.fileno(), stop)  # nothing is ever written to it: it becomes readable when it ends
    await asyncio.gather(*(server.serve(sockets=[sock]) for server, sock in servers.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m order", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--orders", type=int, default=30, help="how many orders the shop has")
    parser.add_argument("--keep", type=Path, default=Path("received"), help="folder for received mails and posts")
    parser.add_argument("--shop-port", type=int, default=7801)
    parser.add_argument("--smtp-port", type=int, default=7802)
    parser.add_argument("--hooks-port", type=int, default=7803)
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    asyncio.run(main(parser.parse_args()))
