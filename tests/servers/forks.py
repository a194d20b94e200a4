"""Processes that begin with the program imported: forks of one that did this once, for a tenth of the CPU of a start.
What a start imports and what an interpreter says at its end is seen by the tests that start it whole."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

FORKS: Final = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([
    "tests.servers.forks", "tests.crash.life", "aob.cli.session", "aob.compose.executor", "aob.compose.front",
    "aob.compose.roles", "aob.compose.shards.embedded", "aob.compose.shards.owners", "aob.compose.status",
    "cel_expr_python.cel", "google.protobuf.text_format", "psycopg",
])  # fmt: skip
LIFE_S: Final = 60.0


def ended(words: Sequence[str], env: Mapping[str, str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """A command of the program in this folder, with these variables alone. Raises TimeoutExpired if it does not end."""
    with tempfile.TemporaryDirectory() as said:
        out, error = Path(said, "out"), Path(said, "error")
        child = FORKS.Process(target=_main, args=(list(words), dict(env), str(folder), str(out), str(error)))
        child.start()
        child.join(LIFE_S)
        code = child.exitcode
        if code is None:
            child.kill()
            child.join()
            raise subprocess.TimeoutExpired(list(words), LIFE_S, out.read_text(), error.read_text())
        child.close()
        return subprocess.CompletedProcess(list(words), code, out.read_text(), error.read_text())


def _main(words: list[str], env: dict[str, str], folder: str, out: str, error: str) -> None:
    from aob import compose
    from aob.cli import main

    vars(compose).pop("up", None)  # the module, which hides the function that the room gives
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for path, handle in ((out, 1), (error, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), handle)
    sys.exit(main(words))
