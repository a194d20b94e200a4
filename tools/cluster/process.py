"""One process of a cluster: started, waited for until it is ready, started again when it ends by itself, ended by pid.
What it says goes into a file. The pause before a restart grows while it keeps dying."""

import asyncio
import contextlib
import os
import signal
import time
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tests.servers.postgres import Account, birth

PAUSE_S: Final = 0.25
PAUSE_S_MAX: Final = 10.0
STEADY_S: Final = 20.0
"""Who lived so long begins with the shortest pause again."""
LOOK_S: Final = 0.05
READY_S_MAX: Final = 60.0
STOP_S_MAX: Final = 35.0
"""Workers let their handlers finish for 30 s."""
TAIL: Final = 1_500


class NotReadyError(Exception):
    """A process did not become ready; the text says what it said last."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A row of the table of processes: its name and role, how it is started, and by what one sees that it is ready:
    the URL of a probe, a port (`tcp:PORT`), a file with a word in it (`path|word`), or a word that it says."""

    name: str
    role: str
    words: tuple[str, ...]
    env: Mapping[str, str]
    ready: str
    where: str = ""
    """Its address, for people."""
    ends_by: signal.Signals = signal.SIGTERM
    account: Account | None = None


class Process:
    """A process by its row. `tell(name, what)` hears when it ends by itself and when it is there again."""

    def __init__(
        self, spec: Spec, log: Path, tell: Callable[[str, str], None], began: Callable[[], None] = lambda: None
    ) -> None:
        self.spec, self.log, self._tell, self._began = spec, log, tell, began
        self.starts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._from = 0
        self._keeping: asyncio.Task[None] | None = None
        self._held = asyncio.Event()
        self._held.set()

    @property
    def pid(self) -> int:
        """Its process id; 0 while there is none."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    @property
    def born(self) -> str:
        """When it began, as no later process of this number did."""
        return birth(self.pid) if self.pid else ""

    def keep(self) -> None:
        """Start it, and start it again whenever it ends by itself, until `stop`."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name=f"keep-{self.spec.name}")

    async def ready(self, within_s: float = READY_S_MAX) -> None:
        """Wait until it is ready. Raises NotReadyError with what it said last."""
        until = time.monotonic() + within_s
        async with httpx.AsyncClient(trust_env=False, timeout=2) as http:
            while not await self._is_ready(http):
                if time.monotonic() > until:
                    raise NotReadyError(
                        f"{self.spec.name} is not ready after {within_s:g} s; it said: {self.said()[-TAIL:]}"
                    )
                await asyncio.sleep(LOOK_S)

    def send(self, what: signal.Signals) -> bool:
        """Send it a signal; whether it was there."""
        if not self.pid or self._process is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(what)
            return True
        return False

    def hold(self) -> None:
        """Not started again from now on, until `release`."""
        self._held.clear()

    def release(self) -> None:
        """Started again, now."""
        self._held.set()

    async def ended(self) -> None:
        """Wait until the process that is there now has ended."""
        if self._process is not None:
            await self._process.wait()

    async def stop(self, within_s: float = STOP_S_MAX) -> None:
        """End it in order, else by force, and start it no more. Stopping twice is fine."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        if self.pid and self._process is not None:
            self.send(signal.SIGCONT)
            self.send(self.spec.ends_by)
            try:
                await asyncio.wait_for(self._process.wait(), within_s)
            except TimeoutError:
                self._tell(self.spec.name, f"did not end within {within_s:g} s: killed")
                self.send(signal.SIGKILL)
                await self._process.wait()

    def said(self) -> str:
        """What it has said since it was started."""
        with contextlib.suppress(OSError), self.log.open("rb") as said:
            said.seek(self._from)
            return said.read().decode(errors="replace").strip()
        return ""

    async def _keep(self) -> None:
        pause = PAUSE_S
        while True:
            await self._held.wait()
            begun = time.monotonic()
            await self._begin()
            assert self._process is not None
            code = await self._process.wait()
            pause = PAUSE_S if time.monotonic() - begun > STEADY_S else pause
            self._tell(self.spec.name, f"ended ({_how(code)}); started again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_S_MAX)

    async def _begin(self) -> None:
        self._from = self.log.stat().st_size if self.log.exists() else 0
        who = self.spec.account if os.geteuid() == 0 else None
        with self.log.open("ab") as out:
            # A session of its own: Ctrl-C reaches who ends all in order, not each of them.
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.words, env=dict(self.spec.env), stdin=DEVNULL, stdout=out, stderr=STDOUT,
                start_new_session=True,
                user=who and who.user, group=who and who.group, extra_groups=None if who is None else [],
            )  # fmt: skip
        self.starts += 1
        self._began()

    async def _is_ready(self, http: httpx.AsyncClient) -> bool:
        if not self.pid:
            return False
        if self.spec.ready.startswith("http"):
            with contextlib.suppress(httpx.HTTPError):
                return (await http.get(self.spec.ready)).status_code == 200
            return False
        if self.spec.ready.startswith("tcp:"):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", int(self.spec.ready[4:]))
                writer.close()
                return True
            return False
        file, bar, word = self.spec.ready.partition("|")
        if not bar:
            return file in self.said()
        with contextlib.suppress(OSError):
            return word in Path(file).read_text()  # noqa: ASYNC240  # a line
        return False


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
