"""Processes that are started while gRPC is at work live: the processes of SQL, handlers, workers of `aob dev`."""

import subprocess
import sys

import pytest

pytest.importorskip("grpc")

PROGRAM = """
import asyncio, os, sys
import aob
import grpc, grpc.aio, uvloop

async def echoed(asked, context):
    async for each in asked:
        yield each

async def main():
    server = grpc.aio.server()
    method = grpc.stream_stream_rpc_method_handler(echoed)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", {"Echo": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    call = grpc.aio.insecure_channel(f"127.0.0.1:{port}").stream_stream("/a.B/Echo")()

    async def talk():
        while True:
            await call.write(b"x")
            await call.read()

    talking, ended = asyncio.create_task(talk()), set()
    for _ in range(300):
        child = await asyncio.create_subprocess_exec("true", stdin=asyncio.subprocess.PIPE)
        ended.add(await child.wait())
    print(ended, talking.done(), flush=True)
    os._exit(0)

uvloop.install()
asyncio.run(main())
"""


def test_a_child_is_not_crashed_by_what_grpc_does_at_a_fork() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.strip() == "{0} False", done.stderr[-2_000:]
