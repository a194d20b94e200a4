"""An older release to run beside the present one: what this repository was when `aob serve coordinator` landed, or
where its history is not there (a shallow clone) a copy of the present sources that knows one number of rules less."""

import os
import re
import shutil
import subprocess
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from aob.core.rules import RULES
from tests.servers.postgres import ROOT

FIRST_MEMBER: Final = "src/aob/compose/coordinator/serving.py"
"""The file that `aob serve coordinator` came with."""
NAME: Final = "agentic_orchestration_builder"
VERSION: Final = "0.0.9"
RULES_LINE: Final = re.compile(r"^RULES: Final = (\d+)", re.MULTILINE)


class Release(NamedTuple):
    """Sources to run: their folder, what they are, the newest rules that they know."""

    folder: Path
    what: str
    rules: int

    @property
    def env(self) -> dict[str, str]:
        """What a process of it has in its environment."""
        return {"PYTHONPATH": str(self.folder / "src")}


def older(folder: Path) -> Release:
    """The older release, in this folder."""
    commit = _commit()
    if not commit:
        return stand_in(folder)
    folder.mkdir()
    packed = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=packed, check=True)
    return _named(folder, f"commit {commit[:12]}")


def stand_in(folder: Path) -> Release:
    """The present sources with a lower release and the rules before the present ones."""
    shutil.copytree(ROOT / "src", folder / "src")  # with what was compiled: it is told by the times of its sources
    rules = folder / "src/aob/core/rules.py"
    rules.write_text(RULES_LINE.sub(f"RULES: Final = {RULES - 1}", rules.read_text()))
    return _named(folder, "a copy of the present sources")


def _named(folder: Path, what: str) -> Release:
    """With the release that its members are to tell."""
    facts = folder / f"src/{NAME}-{VERSION}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME.replace('_', '-')}\nVersion: {VERSION}\n")
    found = RULES_LINE.search((folder / "src/aob/core/rules.py").read_text())
    assert found is not None
    return Release(folder, what, int(found[1]))


def _commit() -> str:
    """The commit that brought the first member; empty where the history does not go back so far."""
    words = ["git", "log", "--format=%H", "--diff-filter=A", "--", FIRST_MEMBER]
    try:
        shallow = _git("rev-parse", "--is-shallow-repository") != "false"
        return (
            ""
            if shallow
            else subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()[-1]
        )
    except (OSError, subprocess.CalledProcessError, IndexError):
        return ""


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


PRINTS: Final = """
from sys import argv
from aob.backends.postgres.schema import printed
from aob.backends.postgres.steps import Wanted
print(printed(argv[1], Wanted(argv[2], shards=int(argv[3]))))
"""


def schema_of(release: Release, name: str, service: str, shards: int) -> str:
    """The SQL by which a release makes a schema."""
    words = [sys.executable, "-c", PRINTS, name, service, str(shards)]
    return subprocess.run(words, env=os.environ | release.env, capture_output=True, text=True, check=True).stdout


class Ran(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    told: Any
    error: str


async def ran(*words: str, env: dict[str, str], release: Release | None = None) -> Ran:
    """A command of a release, the present one if none is named, to its end."""
    process = await create_subprocess_exec(
        sys.executable, "-m", "aob.cli", *words, stdout=PIPE, stderr=PIPE,
        env=os.environ | (release.env if release else {}) | env,
    )  # fmt: skip
    out, error = await process.communicate()
    assert process.returncode is not None
    told = msgspec.json.decode(out) if out.startswith((b"{", b"[")) else out.decode()
    return Ran(process.returncode, told, error.decode())
