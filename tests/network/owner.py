"""An owner process for tests: opens a home and answers the other processes of its cluster over TLS.
`python tests/network/owner.py HOME CERTS PORT`."""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace

import aob
from aob.backends.stream_transport import StreamTransport
from aob.compose.loop import run_tuned
from aob.compose.network import Certificates, Member, PeerServer, not_owner
from aob.compose.shards.local import STREAMS, LocalShard
from aob.compose.wire.requests import Performs


@aob.node
def answer(value: object = None) -> int:
    """Always the same."""
    return 42


async def serve(home: str, certs: str, port: str) -> None:
    async with aob.open(home, app=SimpleNamespace(answer=answer)) as app:
        node = {"kind": "function", "config": {"handler": "answer"}}
        waits = {"kind": "wait", "config": {"message": "go"}}
        await app.push({"workflow": "one", "nodes": {"a": node}})
        await app.push({"workflow": "asks", "nodes": {"a": waits}})
        shard = LocalShard(0, app)

        def find(number: int) -> Performs:
            if number != 0:
                raise not_owner(number)
            return shard

        own = Certificates(Path(certs), ["coordinator"])
        async with PeerServer(Member(("coordinator",), "owner"), find, STREAMS, own) as server:
            await server.open("127.0.0.1", int(port))
            print(server.address, flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    StreamTransport.ping.__defaults__ = (0.1, 20)  # so that a process that was stopped is found soon
    run_tuned(serve(*sys.argv[1:]))
