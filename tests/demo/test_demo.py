"""`aob demo`, whole: decided at the prompt and from another terminal, then once more with no terminal at all."""

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


def test_a_demo_that_is_ended_clears_its_stage(tmp_path: Path) -> None:
    said: list[str] = []
    with telling(tmp_path / "demo") as (process, _terminal):
        ports = heard(process, re.compile(r"platform http://127.0.0.1:(\d+)\s+shop http://127.0.0.1:(\d+)"), said)
        heard(process, ASKS, said)
        process.terminate()
        assert process.wait(30) == 143
    for port in ports.groups():
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", int(port))) != 0, f"something still listens on {port}"


@pytest.mark.timeout(240)
def test_the_demo_is_decided_at_the_prompt_or_from_another_terminal_and_runs_again_without_one(tmp_path: Path) -> None:
    home = tmp_path / "demo"
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

    again = subprocess.run(
        [*AOB, "demo", "--home", str(home)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stdout + again.stderr
    check(again.stdout)
    assert "approves by itself" in again.stdout
