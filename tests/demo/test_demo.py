"""`aob demo`, whole: decided at the prompt and from another terminal, and once more with no terminal at all."""

import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

AOB = [sys.executable, "-m", "aob.cli"]
ASKS = re.compile(r"from a second terminal: \S+ (approve ticket_[\w-]+ approve --home [^)]+)\)")


@contextmanager
def telling(home: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """The demo in a process with a terminal as its input, and our end of that terminal."""
    ours, theirs = pty.openpty()
    command = [*AOB, "demo", "--home", str(home)]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.terminate()
            os.close(ours)


def heard(process: "subprocess.Popen[bytes]", pattern: re.Pattern[str], said: list[str]) -> re.Match[str]:
    """Read on until the pattern stands in what was said since the last time."""
    assert process.stdout
    fresh = ""
    while True:
        piece = os.read(process.stdout.fileno(), 65_536).decode(errors="replace")
        fresh += piece
        said.append(piece)
        if found := pattern.search(fresh):
            return found
        assert piece, "".join(said)


def check(said: str) -> None:
    """What every telling must show."""
    for wanted in (
        "+ node upload (object)",
        "its graph is v1.1 now",
        "requests to the shop meanwhile: 0",
        "completed twice: none",
        "@customers.example: Order o-1002 is on its way",
        'POST /slack/ops: {"text":"Order o-1003 could not be shipped."}',
        "cache hits: rate of run_",
        "object default/orders/o-1002.json",
        "calls: 0",
        "alert refunds_high fired and started run run_",
        "+ node hold (http)",
        "the shop holds refunds back",
        "what the shop was asked: POST /refunds/wave ×1, POST /refunds/hold ×1",
        "the platform's own number: run_success_rate 100%",
        "Three lines to try",
    ):
        assert wanted in said, said
    assert re.search(r"refund_rate is [\d.]+% again", said), said
    before, after = re.search(r"requests to the shop: (\d+) before, (\d+) after", said).groups()  # type: ignore[union-attr]
    assert before == after


@pytest.mark.timeout(240)
def test_the_demo_is_decided_at_the_prompt_or_from_another_terminal_and_runs_again_without_one(
    tmp_path: Path,
) -> None:
    """The one without is told beside the other, in the folder of one that was ended in its middle."""
    first, home = tmp_path / "first", tmp_path / "demo"
    ended(first)
    with subprocess.Popen(
        [*AOB, "demo", "--home", str(first)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as again:  # fmt: skip
        try:
            decided(home)
            said, _ = again.communicate(timeout=120)
        finally:
            again.terminate()
    assert again.returncode == 0, said
    check(said)
    assert "approves by itself" in said


def ended(home: Path) -> None:
    """One that is told to end clears its stage."""
    said: list[str] = []
    with telling(home) as (process, _terminal):
        ports = heard(process, re.compile(r"platform http://127.0.0.1:(\d+)\s+shop http://127.0.0.1:(\d+)"), said)
        heard(process, ASKS, said)
        process.terminate()
        assert process.wait(30) == 143
    for port in ports.groups():
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", int(port))) != 0, f"something still listens on {port}"


def decided(home: Path) -> None:
    """One whose first ticket is decided in another terminal, and the others at its prompt."""
    said: list[str] = []
    with telling(home) as (process, terminal):
        elsewhere = heard(process, ASKS, said)[1]
        subprocess.run([*AOB, *elsewhere.split()], check=True, capture_output=True, timeout=60)
        for _ in range(2):
            heard(process, ASKS, said)
            os.write(terminal, b"y\n")
        said.append((process.stdout.read() if process.stdout else b"").decode())
        assert process.wait(60) == 0, "".join(said)
    check("".join(said))
    assert "Decided in the other terminal" in "".join(said)
