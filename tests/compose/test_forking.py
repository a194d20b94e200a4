"""A child of the platform, as `multiprocessing` makes them: it holds nothing of a home and is no second server."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from aob.compose.forking import given_back, never_in_a_child
from aob.compose.lock import owning
from aob.server import listen

COMES_BACK: Final = """
import asyncio, os
from aob.compose.loop import run_tuned

async def handler():
    child = os.fork()
    await asyncio.sleep(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else print("a second server")

print(run_tuned(handler()))
"""


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_that_outlives_the_server_holds_neither_its_home_nor_its_port(tmp_path: Path) -> None:
    goes_on, told = os.pipe()
    begun, begins = os.pipe()
    with owning(tmp_path):
        bound = listen()
        bound.listen(1)
        never_in_a_child(bound.fileno())
        port = bound.getsockname()[1]
        child = os.fork()
        if not child:
            os.close(told)
            os.write(begins, b"1")
            os.read(goes_on, 1)
            os._exit(0)
        os.read(begun, 1)
        given_back(bound.fileno())
        bound.close()
    try:
        with owning(tmp_path):
            listen(port=port).close()
    finally:
        for each in (told, goes_on, begun, begins):
            os.close(each)
        os.waitpid(child, 0)


def test_a_child_that_comes_back_to_the_loop_ends() -> None:
    said = subprocess.run([sys.executable, "-c", COMES_BACK], capture_output=True, text=True, timeout=60)
    assert said.stdout == "70\n", said.stderr
