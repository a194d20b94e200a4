"""The demo's acts in their order: a large order with a patch, a person and a kill -9; a failing order; memory; replay.

In: the platform, the shop and the API. Out: lines on the terminal. Nothing is faked: every line is read
back from the platform, the shop, the mailbox or the webhook receiver.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from aob.client import Event
from demo.api import Api
from demo.captions import Captions
from demo.picture import added_nodes, picture
from demo.prompt import decision
from demo.received import mails, posts
from demo.services import Platform
from demo.watch import Watch

BIG: Final = "o-1002"
FAILING: Final = "o-1003"
AGAIN: Final = "o-1001"
"""An order from the same country as the others: what shipping there costs is remembered by then."""


def completed(visit: str) -> Callable[[Event], bool]:
    """Says whether an event completes a visit."""
    return lambda seen: seen.name == "node_completed" and seen.data["visit"] == visit


def asks(subject: str) -> Callable[[Event], bool]:
    """Says whether an event asks a person about a subject."""
    return lambda seen: seen.name == "ticket_opened" and seen.data["subject"] == subject


class Story:
    """One run of the story."""

    def __init__(self, console: Console, captions: Captions, api: Api, platform: Platform, received: Path) -> None:
        self.console, self.captions, self.api, self.platform, self.received = console, captions, api, platform, received

    async def tell(self) -> list[str]:
        """All acts; answers the ids of the runs, the large order's first."""
        first = await self.large_order()
        failed = await self.failing_order()
        third = await self.memory(first)
        await self.replay(first)
        return [first, failed, third]

    async def large_order(self) -> str:
        """From the start of the run to the mail, with a patch, two decisions and a kill -9 in between."""
        order = await self.api.order(BIG)
        await self.captions.act("arrives")
        run_id = await self.api.start(BIG)
        self.console.print(f"  run [cyan]{run_id}[/] of order {BIG}: {order['count']} lines, {order['total']:,.2f} EUR")
        async with Watch(self.api.follow(run_id), self.note) as watch:
            await self.patched(watch)
            await self.killed(run_id, watch)
            await self.approved(watch)
            await watch.until(lambda seen: seen.name == "run_finished")
        await self.delivered(run_id)
        return run_id

    async def patched(self, watch: Watch) -> None:
        """The agent's proposal, its diff, and a person's word on it."""
        ticket = await watch.until(asks("patch"))
        patch = await self.api.patch(ticket.data["about"])
        await self.captions.act("patch")
        self.console.print(f"  [magenta]{escape(patch['author'])}[/]: {escape(patch['reason'])}")
        for line in patch["lines"]:
            colour = {"+": "green", "-": "red"}.get(line[:1], "dim")
            self.console.print(f"    [{colour}]{escape(line)}[/]")
        added = added_nodes(patch["before"], patch["after"])
        self.console.print(f"  before  {picture(patch['before'])}")
        self.console.print(f"  after   {picture(patch['after'], added)}")
        await self.decide(ticket, watch)
        await watch.until(lambda seen: seen.name == "patch_applied")
        version = (await self.api.patch(patch["patch_id"]))["version"]
        self.console.print(f"  applied to this run only: its graph is {version} now, the workflow is as it was")

    async def killed(self, run_id: str, watch: Watch) -> None:
        """Kill the platform on the signal that the upload is committed, and start it again."""
        await watch.until(completed("upload"))
        pid = await self.platform.kill()
        await self.captions.act("killed")
        self.console.print(f"  [bold red]kill -9 {pid}[/], on the signal that `upload` is committed")
        asked = (await self.api.count())["total"]
        took_s = await self.platform.start()
        again = (await self.api.count())["total"] - asked
        self.console.print(f"  started again in {took_s:.2f} s; requests to the shop meanwhile: {again}")
        self.console.print(f"  aob why: {escape(await self.api.why(run_id))}")

    async def approved(self, watch: Watch) -> None:
        """A person's word on the order itself, asked before the kill and answered after it."""
        ticket = await watch.until(asks("approval"))
        await self.captions.act("approval")
        self.console.print(
            f"  {escape(ticket.data['text'])}  [dim](ticket {ticket.data['id']}, from before the kill)[/]"
        )
        await self.decide(ticket, watch)

    async def decide(self, ticket: Event, watch: Watch) -> None:
        """Ask the person, hand the decision in."""
        ticket_id = ticket.data["id"]

        def answered(seen: Event) -> bool:
            return seen.name == "ticket_answered" and seen.data["id"] == ticket_id

        command = self.api.command(f"approve {ticket_id} approve")
        choice = await decision(self.console, lambda: watch.until(answered, patient=True), command)
        if choice:
            await self.api.answer(ticket_id, choice)
        await watch.until(answered)

    async def delivered(self, run_id: str) -> None:
        """What the customer got, and that nothing was done twice."""
        await self.captions.act("delivered")
        run, count = await self.api.run(run_id), await self.api.count()
        for mail in mails(self.received):
            self.console.print(f"  mail over SMTP to {mail['to']}: [b]{escape(mail['subject'])}[/]")
            self.console.print(f"    {escape(' '.join(mail['text'].split()))}")
        events = await self.api.timeline(run_id)
        done = [event["visit"] for event in events if event["type"] == "node_completed"]
        twice = sorted({visit for visit in done if done.count(visit) > 1})
        self.console.print(
            f"  {run['status']}: {len(done)} visits completed, completed twice: {', '.join(twice) or 'none'}"
        )
        shown = ", ".join(f"{request} ×{times}" for request, times in count["by_request"].items())
        self.console.print(f"  what the shop was asked: {shown}; shipments: {count['shipments']}")

    async def failing_order(self) -> str:
        """An order that the warehouse refuses: its run takes the failure edge to a chat's webhook."""
        await self.captions.act("failing")
        run_id = await self.api.start(FAILING)
        async with Watch(self.api.follow(run_id), self.note) as watch:
            await watch.until(lambda seen: seen.name == "run_finished")
        for post in posts(self.received):
            self.console.print(f"  POST {post['path']}: {escape(post['body'])}")
        return run_id

    async def memory(self, run_id: str) -> str:
        """One more order, whose shipping rate is remembered; then the blobs."""
        await self.captions.act("memory")
        third = await self.api.start(AGAIN)
        async with Watch(self.api.follow(third), self.note) as watch:
            await watch.until(lambda seen: seen.name == "run_finished")
        hits = [
            f"{event['visit']} of {each}"
            for each in (run_id, third)
            for event in await self.api.timeline(each)
            if event["type"] == "node_completed" and event.get("memo")
        ]
        self.console.print(f"  cache hits: {', '.join(hits) or 'none'}")
        for name, size in self.platform.blobs():
            self.console.print(f"  blob sha256 {name[:16]}… {size:,} bytes")
        for name, size in self.platform.objects():
            self.console.print(f"  object {name} {size:,} bytes")
        return third

    async def replay(self, run_id: str) -> None:
        """Replay from the shipment with recorded outputs; the shop's own count shows that nothing was called."""
        await self.captions.act("replay")
        before = (await self.api.count())["total"]
        report = await self.api.replay(run_id, "ship")
        after = (await self.api.count())["total"]
        self.console.print(f"  aob replay {run_id} --from ship --mode freeze: {escape(summary(report))}")
        self.console.print(f"  requests to the shop: {before} before, {after} after")

    def note(self, seen: Event) -> None:
        """A line for each event that a person would want to see."""
        if line := told(seen):
            self.console.print(f"  [dim]{line}[/]", highlight=False)


def told(seen: Event) -> str:
    """An event as a short line; empty for those that only machines care about."""
    data = seen.data
    match seen.name:
        case "node_completed":
            return f"✓ {data['visit']}{' (remembered)' if data.get('memo') else ''}"
        case "node_failed":
            return f"✗ {data['visit']} failed{' → failure edge' if data.get('on') == 'failure' else ''}"
        case "attempt_failed":
            return f"↻ {data['visit']} attempt {data['attempt']} failed, tries again"
        case "node_held":
            brain = data.get("usage", {}).get("brain", {})
            who = f"{brain.get('label')} {brain.get('model')}"
            return f"… {data['visit']} has its answer (brain: {who}) and waits for its patch"
        case "run_finished":
            return f"■ {data['status']}"
    return ""


def summary(report: dict[str, Any]) -> str:
    """A replay's report in a sentence."""
    ways = [visit["how"] for visit in report["visits"]]
    counted = ", ".join(f"{ways.count(how)} {how}" for how in sorted(set(ways)))
    same = "the same end" if report["same"] else "another end"
    return f"{report['status']}, {same}; visits: {counted}; calls: {report['calls']}"
