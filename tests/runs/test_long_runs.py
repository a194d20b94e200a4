"""SEMANTICS 2.3: a run of many events leaves memory too, and comes back from a page of its state on a real home."""

from pathlib import Path

import aob
from aob.compose import App
from aob.journal.recovery import load_stream
from aob.testing.run_checks import picture
from tests.journal.tally import passes
from tests.runs.home import Deed, finished, flow, fn

PASSES = 7_000
BODY = {"nodes": {"j": fn("plain", disabled=True)}, "edges": {}}
LONG = flow(
    "long",
    {
        "l": {"kind": "loop", "config": {"max": PASSES}, "body": BODY},
        "w": {"kind": "wait", "config": {"message": "paid"}},
    },
    "l>w",
)


async def resting(app: App, run: str) -> None:
    """The run waits, and leaves memory."""
    journal = app.views.core.journal
    while run not in journal.away or not pages(app)["written"]:
        if journal.let_go(-1, 1_000):
            journal._wake.set()
        await passes(0.001)


def pages(app: App) -> dict[str, int]:
    found = app.views.core.journal.pages
    assert found is not None
    return found.stats


async def test_a_run_of_20_000_events_leaves_memory_and_comes_back_by_folding_few(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with aob.open(home, app=Deed().handlers()) as app:
        await app.push(LONG)
        run = (await app.start("long")).id
        journal, law = app.views.core.journal, app.views.core.run_law
        await resting(app, run)
        whole = await load_stream(journal.store, law, run)
        assert whole is not None
        assert whole.seq > 20_000
        back = await journal.load(run)
        assert back is not None
        assert picture(back.state) == picture(whole.state)
        assert pages(app) == {"written": 1, "used": 1, "refused": 0, "failed": 0, "folded": 0}
    assert list(home.glob("runs-0.pages"))
    async with aob.open(home, app=Deed().handlers()) as app:
        await app.views.message(app.who, run, "paid")
        assert (await finished(app, run))["status"] == "COMPLETED"
        assert pages(app)["folded"] <= 10
        assert pages(app)["used"] == 1
    async with aob.open(home, app=Deed().handlers()) as app:
        assert pages(app) == dict.fromkeys(pages(app), 0)
        assert (await app.views.health())["state_pages"] == pages(app)
    for file in home.glob("runs-0.pages*"):
        assert run.encode() not in file.read_bytes(), "of a run that has ended no page stays"
