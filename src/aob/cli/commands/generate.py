"""`aob generate`: events of a seeded shop, sent to a home at any rate, or written as lines."""

import asyncio
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from aob.cli.connection import connect
from aob.cli.examples import examples
from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, command
from aob.core.answers import JsonObject
from aob.core.duration import parse_duration
from aob.core.errors import Invalid, Problem

if TYPE_CHECKING:
    from shop.generator import Shop

BATCH_MAX: Final = 1_000
TICK_S: Final = 0.1  # events of this much time are sent together, in batches
UNDER_WAY_MAX: Final = 8
OPEN_S: Final = 120.0
OPEN_EVENTS: Final = 60_000
"""How long the shop has been open at its first sent event: this time, or this many events, whichever is less."""
WAVE: Final = 0.9  # the share of orders refunded in the scenario `refunds`, in its middle third
EPILOG: Final = """
The same seed and --start give the same events. Contracts for them are in examples/shop/contracts:
  aob contract push examples/shop/contracts
  aob generate --rate 200 --for 1m
"""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob generate`."""
    one = command(
        commands, common, "generate", "send the events of a seeded shop", generate, reach="alone", epilog=EPILOG
    )
    one.add_argument("--rate", type=float, default=100.0, help="events a second (100)")
    one.add_argument("--seed", type=int, default=7, help="what the shop's dice begin with (7)")
    one.add_argument("--for", dest="span", metavar="DURATION", help="how long, as 30s or 5m; without it until Ctrl-C")
    one.add_argument("--count", type=int, help="how many events at most")
    one.add_argument("--bad", type=float, default=0.0, metavar="SHARE", help="share that the gate must refuse (0)")
    one.add_argument("--late", type=float, default=0.0, metavar="SHARE", help="share that comes minutes later (0)")
    one.add_argument("--duplicate", type=float, default=0.0, metavar="SHARE", help="share that is sent again (0)")
    one.add_argument(
        "--refunds", type=float, default=0.03, metavar="SHARE", help="share of paid orders refunded (0.03)"
    )
    one.add_argument(
        "--rhythm", action="store_true", help="busy evenings and quiet nights; the rate is the day's average"
    )
    one.add_argument("--scenario", choices=("steady", "refunds"), default="steady",
                     help="refunds: a wave of them in the middle third of --for")  # fmt: skip
    one.add_argument("--batch", type=int, default=500, help="events in a request at most (500)")
    one.add_argument("--out", metavar="FILE", help="write lines there instead (- is the output), as fast as it goes")
    one.add_argument("--start", type=float, metavar="SECONDS", help="with --out: event time begins here (now)")


async def generate(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int | None:
    """Send or write."""
    _check(args)
    examples()
    from shop.generator import Shop, Wishes

    wishes = Wishes(args.rate, args.bad, args.late, args.duplicate, refunds=args.refunds, rhythm=args.rhythm)
    shop = Shop(args.seed, wishes)
    span_s = _span_s(args.span) if args.span else None
    if args.out:
        if span_s is None and args.count is None:
            why = "this would write for ever"
            raise Invalid(why, [Problem("--out", "needs an end", hint="--count 10000 or --for 1m")])
        start = time.time() if args.start is None else args.start
        written = await asyncio.to_thread(_write, args, shop, start, span_s)
        screen.note(f"{written:,} events")
        return None
    async with connect(args, env) as aob:
        await _send(aob, args, screen, shop, span_s)
    return None


def _span_s(text: str) -> float:
    try:
        return parse_duration(text) / 1_000
    except ValueError as error:
        raise Invalid("the options are wrong", [Problem("--for", str(error))]) from error


def _check(args: Namespace) -> None:
    problems = [
        Problem(f"--{name}", "is a share from 0 to 1", hint=f"--{name} 0.01")
        for name in ("bad", "late", "duplicate", "refunds") if not 0 <= getattr(args, name) <= 1
    ]  # fmt: skip
    if not 0 < args.rate <= 1_000_000:
        problems.append(Problem("--rate", "is events a second, more than 0", hint="--rate 100"))
    if not 1 <= args.batch <= BATCH_MAX:
        problems.append(Problem("--batch", f"is 1 to {BATCH_MAX:,}"))
    if args.scenario == "refunds" and not args.span:
        problems.append(Problem("--scenario", "needs to know how long", hint="--for 90s"))
    if problems:
        raise Invalid("the options are wrong", problems)


def _told(args: Namespace, shop: "Shop", start: float, span_s: float | None) -> Iterator[tuple[float, JsonObject]]:
    """Events in order until the count or the time span is reached; the wave follows their own time."""
    for number, (at, event) in enumerate(shop.events(start, open_s=min(OPEN_S, OPEN_EVENTS / args.rate))):
        if (args.count is not None and number >= args.count) or (span_s is not None and at - start >= span_s):
            return
        if args.scenario == "refunds" and span_s is not None:
            shop.refunds = WAVE if span_s / 3 <= at - start < span_s * 2 / 3 else args.refunds
        yield at, event


def _write(args: Namespace, shop: "Shop", start: float, span_s: float | None) -> int:
    count = 0
    with ExitStack() as stack:
        file = sys.stdout if args.out == "-" else stack.enter_context(Path(args.out).open("w", encoding="utf-8"))
        for _, event in _told(args, shop, start, span_s):
            file.write(msgspec.json.encode(event).decode() + "\n")
            count += 1
    return count


async def _send(aob: Aob, args: Namespace, screen: Screen, shop: "Shop", span_s: float | None) -> None:
    totals = {"received": 0, "accepted": 0, "duplicate": 0, "rejected": 0}
    free, sending = asyncio.Semaphore(UNDER_WAY_MAX), set[asyncio.Task[None]]()
    start = time.time()

    async def one(batch: list[JsonObject]) -> None:
        try:
            answer = await aob.ingest(batch)
        finally:
            free.release()
        for name in totals:
            totals[name] += answer[name]  # type: ignore[literal-required]  # the counts of an answer

    with screen.waiting("sending") as spinner:
        try:
            async for batch in _paced(_told(args, shop, start, span_s), args.batch, start):
                await free.acquire()
                task = asyncio.create_task(one(batch))
                sending.add(task)
                task.add_done_callback(sending.discard)
                spinner.update(_line(totals, time.time() - start))
                for done in [task for task in sending if task.done()]:
                    done.result()
            await asyncio.gather(*sending)
        finally:
            for task in sending:
                task.cancel()
            took_s = round(time.time() - start, 3)  # also after Ctrl-C: what was sent was sent
            screen.value({**totals, "took_s": took_s}) if screen.json else screen.line(_line(totals, took_s))
            if totals["rejected"] and not totals["accepted"] + totals["duplicate"]:
                screen.note(
                    "all were refused: push their contracts, examples/shop/contracts; aob deadletter groups says why"
                )


async def _paced(
    events: Iterator[tuple[float, JsonObject]], most: int, start: float
) -> AsyncIterator[list[JsonObject]]:
    """Batches of due events, at the time when they are due."""
    batch: list[JsonObject] = []
    edge = start + TICK_S
    for at, event in events:
        while at >= edge:
            if batch:
                yield batch
                batch = []
            await asyncio.sleep(max(0.0, edge - time.time()))
            edge += TICK_S
        batch.append(event)
        if len(batch) >= most:
            yield batch
            batch = []
    if batch:
        yield batch


def _line(totals: Mapping[str, int], took_s: float) -> str:
    rate = totals["received"] / took_s if took_s > 0 else 0.0
    return (f"{totals['received']:,} events, {rate:,.0f}/s: {totals['accepted']:,} accepted, "
            f"{totals['duplicate']:,} duplicate, {totals['rejected']:,} rejected")  # fmt: skip
