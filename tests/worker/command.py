"""The command `aob worker` as a real process, and its events."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

WAIT_S = 30.0
APP = Path(__file__).parent / "app.py"


class Command:
    """A process of `aob worker --json`. `events` are its lines so far."""

    def __init__(self, folder: Path, *words: str, key: str = "", verb: str = "worker", **env: str) -> None:
        self.ledger = folder / "ledger"
        plain = {name: value for name, value in os.environ.items() if not name.startswith("AOB_")}
        given = {**plain, "LEDGER": str(self.ledger), **({"AOB_API_KEY": key} if key else {}), **env}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "aob.cli", verb, *words, "--json"], cwd=folder, env=given, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.events: list[dict[str, Any]] = []
        self.seen: list[dict[str, Any]] = []
        self._errors: list[str] = []
        self._turn = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._turn:
                self.events.append(msgspec.json.decode(line))
                self.seen.append(self.events[-1])
                self._turn.notify_all()
        with self._turn:
            self._turn.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._errors.extend(self.process.stderr)

    def until(self, event: str, more: Callable[[dict[str, Any]], bool] = lambda facts: True) -> dict[str, Any]:
        """The first event with this name that was not seen yet."""
        with self._turn:
            found: dict[str, Any] | None = None

            def there() -> bool:
                nonlocal found
                found = next((each for each in self.events if each.get("event") == event and more(each)), None)
                return found is not None or self.process.poll() is not None

            assert self._turn.wait_for(there, WAIT_S), f"no {event}: {self.events} {self.errors}"
            assert found is not None, f"it ended without {event}: {self.events} {self.errors}"
            self.events.remove(found)
            return found

    @property
    def errors(self) -> str:
        return "".join(self._errors)

    def end(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.ended()

    def ended(self) -> int:
        code = self.process.wait(WAIT_S)
        for reader in self._readers:
            reader.join(WAIT_S)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return code

    def notes(self) -> list[str]:
        return self.ledger.read_text().splitlines() if self.ledger.exists() else []


@contextmanager
def worker(folder: Path, *words: str, **env: str) -> Iterator[Command]:
    """`aob worker` while the test needs it."""
    command = Command(folder, *words, **env)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.process.kill()
        command.ended()
