"""`python -m order`: the shop, the mail sink and the webhook receiver on loopback, in one process, until interrupted.

Prints one JSON line with their ports when all three listen. What they receive lies in the folder `--keep`.
"""

import argparse
import asyncio
import json
import socket
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


def server(app: Starlette) -> uvicorn.Server:
    """A server for one application, quiet and without a lifespan."""
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))


async def main(options: argparse.Namespace) -> None:
    """Listen, say where, and serve."""
    shop, hooks = listening(options.shop_port), listening(options.hooks_port)
    mail = listening(options.smtp_port)
    mailbox = Mailbox(options.keep / "mail")
    await asyncio.get_running_loop().create_server(lambda: SMTP(mailbox, hostname="localhost"), sock=mail)
    ports = {"shop": shop, "smtp": mail, "hooks": hooks}
    # The sockets listen already: what arrives before a server is up waits in its queue.
    print(json.dumps({name: sock.getsockname()[1] for name, sock in ports.items()}), flush=True)
    await asyncio.gather(
        server(Shop(generate(options.seed, options.orders)).app()).serve(sockets=[shop]),
        server(Hooks(options.keep / "hooks").app()).serve(sockets=[hooks]),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m order", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--orders", type=int, default=30, help="how many orders the shop has")
    parser.add_argument("--keep", type=Path, default=Path("received"), help="folder for received mails and posts")
    parser.add_argument("--shop-port", type=int, default=7801)
    parser.add_argument("--smtp-port", type=int, default=7802)
    parser.add_argument("--hooks-port", type=int, default=7803)
    asyncio.run(main(parser.parse_args()))
