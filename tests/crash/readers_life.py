"""A life whose readers of commits (numbers, webhooks, notices, alerts) are busy, and which is killed in the middle."""

import asyncio
from pathlib import Path
from typing import Any, Final

import aob
from aob.backends.sqlite.pages import SqlitePages
from aob.backends.sqlite.store import SqliteStore
from aob.compose import App, notices
from aob.fanout.webhooks import sender
from aob.metrics.alerting.law import AlertLaw
from aob.metrics.live import snapshots
from aob.metrics.platform.slices import Tellings
from aob.ports.store import Batch
from tests.crash.points import CommitThread, Trap, around
from tests.runs.home import Deed

STARTS: Final = [("one", number) for number in range(4)] + [("wrong", 0), ("ship", 0), ("ship", 1)]
KEEP_S: Final = 0.3


def settings(port: int) -> dict[str, Any]:
    """Where the world of this home is."""
    return {
        "egress": {"private": [f"127.0.0.1:{port}"]},
        "notify": {"targets": {"ops": f"http://127.0.0.1:{port}/notices"}},
    }


async def started(app: App) -> list[str]:
    """The runs of this life; the same in the next one."""
    return [(await app.start(name, {"n": n}, key=f"{name}-{n}")).id for name, n in STARTS]


def _of_alert(batch: Batch) -> bool:
    return b'"alert/' in batch.data


def set_traps(trap: Trap) -> None:
    """A point before and after each step of each reader: it has read, it acts, it keeps how far it is."""

    def nothing(*_: Any) -> None:
        pass

    def at(point: str) -> Any:
        return lambda *_: trap.at(point)

    def kept(moment: str) -> Any:
        return lambda pages, *_: trap.at(f"{pages._file.path.stem}.kept.{moment}")

    around(Tellings, "read", at("numbers.read"), at("numbers.folded"))
    around(SqlitePages, "save", kept("before"), kept("after"))
    around(sender, "post", at("webhook.read"), at("webhook.sent"))
    around(notices, "send", at("notice.read"), at("notice.sent"))
    around(AlertLaw, "receive", at("alert.read"), nothing)
    around(
        SqliteStore, "commit", lambda _, batch: trap.at("alert.commit.before" if _of_alert(batch) else ""),
        lambda _, batch: trap.at("alert.commit.after" if _of_alert(batch) else ""),
    )  # fmt: skip


async def live(home: Path, port: int) -> None:
    async with aob.open(home, app=Deed().handlers(), **settings(port)) as app:
        await started(app)
        await asyncio.Event().wait()


def main(home: str, port: int, point: str, count: int) -> None:
    """The child process."""
    CommitThread.trap = Trap("", 0)
    set_traps(Trap(point, count))

    vars(snapshots)["SNAPSHOT_S"] = KEEP_S
    asyncio.run(live(Path(home), port))
