"""A start whose inputs lie beside the record, and whose first decision looks at them: every kind as the entry node."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any, Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aob
from aob.backends.memory.blobs import MemoryBlobs
from aob.backends.memory.store import MemoryStore
from aob.core.errors import TooLarge
from aob.core.node import KINDS
from aob.core.run.stepping import Needs
from aob.core.value import Ref, digest_of
from aob.ports.blobs import Blobs
from aob.ports.store import Store
from aob.runs import values as values_room
from aob.testing.world.loop import replaced
from tests.runs.home import Deed, finished, flow, fn, ticket_of, until

SIZES: Final = (3_000, 5_000, 70_000, 300_000)
ONCE: Final = {"attempts": 1}
BODY: Final = {"nodes": {"in": fn(input={"value": "1"})}}


def entry(kind: str) -> dict[str, Any]:
    """A node of a kind that looks at the inputs in the decision of the start, where it can."""
    configs: dict[str, dict[str, Any]] = {
        "function": fn(input={"value": "size(inputs.text)"}),
        "http": {"config": {"url": "http://127.0.0.1:1/{key}"}, "input": {"key": "inputs.key"}, "retry": ONCE},
        "branch": {"config": {}},
        "join": {"config": {}},
        "timer": {"config": {"until": "timestamp(inputs.at)"}},
        "wait": {"config": {"message": "go", "key": "inputs.key"}},
        "approval": {"config": {"text": "pay {key}?"}},
        "agent": {"config": {"task": "{key}", "model": "script:none"}, "retry": ONCE},
        "notify": {"config": {"to": "mailto:a@localhost", "text": "{key}"}, "retry": ONCE},
        "object": {"config": {"op": "put", "key": "a.json", "value": "{text}"}},
        "map": {"config": {"items": "inputs.list"}, "body": BODY},
        "loop": {"config": {"max": 2, "while": "size(inputs.text) > 3"}, "body": BODY},
        "emit": {"config": {"topic": "t", "type": "a", "data": {"text": "{text}"}}},
        "metric": {"config": {"metric": "aob.run.started"}},
    }  # fmt: skip
    return {"kind": kind, **configs[kind]}


def document(kind: str) -> dict[str, Any]:
    if kind == "join":  # the one kind that is never an entry
        return flow("of-join", {"x": fn(), "y": fn(), "a": entry(kind)}, "x>a", "y>a")
    if kind != "branch":
        return flow(f"of-{kind}", {"a": entry(kind)})
    made = flow("of-branch", {"a": entry(kind), "yes": fn(), "no": fn()}, "a>yes", "a>no")
    made["edges"]["a-yes"]["when"] = "size(inputs.text) > 3"
    made["edges"]["a-no"]["else"] = True
    return made


def random_inputs(size: int) -> dict[str, Any]:
    """Never stored before: other bytes each time."""
    dice = random.Random(f"{size}")
    text = dice.randbytes(size // 2).hex()
    return {"text": text, "key": "k1", "at": "2020-01-01T00:00:00Z", "list": [1, 2, 3], "n": dice.random()}


def test_no_kind_is_left_out() -> None:
    for kind in KINDS:
        assert entry(kind)


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_a_start_of_any_size_is_decided_by_what_it_brings(tmp_path: Path, kind: str) -> None:
    async with aob.open(tmp_path / "home", app=Deed().handlers()) as app:
        await app.push(document(kind))
        for size in SIZES:
            inputs = random_inputs(size)
            run = await app.start(f"of-{kind}", inputs)
            if kind == "wait":
                await app.views.message(app.who, run.id, "go", key="k1", payload=1)
            elif kind == "approval":
                ticket = await ticket_of(app, run.id, "approval")
                assert (ticket["text"], ticket["shown"]) == ("pay k1?", inputs)
                await app.answer(ticket["ticket_id"], "approve")
            told = await finished(app, run.id)
            assert told["inputs"] == inputs
            if kind in ("http", "agent", "notify", "metric"):  # their world is not here; they were given their inputs
                assert "blob" not in str(told["error"])
                continue
            assert told["status"] == "COMPLETED", told["error"]
            if kind == "branch":
                assert told["nodes"]["yes"]["state"] == "completed"
            if kind == "function":
                assert told["output"] == len(inputs["text"])


async def test_values_at_hand_may_be_fewer_than_those_of_one_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache of one value: each decision still finds what came with its own command, or waits for its commit."""
    monkeypatch.setattr(values_room, "CACHE_BYTES", 10)
    async with aob.open(tmp_path / "home", app=Deed().handlers()) as app:
        await app.push(document("branch"))
        nodes = {"a": fn("sized", input={"n": "50000"}), "b": {"kind": "branch"}, "c": fn(), "d": fn()}
        made = flow("out", nodes, "a>b", "b>c", "b>d")
        made["edges"]["b-c"]["when"] = "size(nodes.a.output) == 50000"
        made["edges"]["b-d"]["else"] = True
        await app.push(made)
        starts = [{"workflow": "of-branch", "inputs": {"text": "x" * 6_000 + str(n)}} for n in range(30)]
        for verdict in await app.views.start_many(app.who, [*starts, *[{"workflow": "out"}] * 20]):
            told = await finished(app, verdict["run_id"])
            assert told["status"] == "COMPLETED", told["error"]


def meeting() -> dict[str, Any]:
    """Three outputs of about 50,000 bytes that one decision needs at once, and then one job."""
    nodes = {name: fn("sized", input={"n": str(50_000 + ord(name) - ord("b"))}) for name in "abc"}
    sizes = "size(nodes.a.output) + size(nodes.b.output) + size(nodes.c.output)"
    nodes |= {"b1": {"kind": "branch"}, "yes": fn("double", input={"n": sizes}), "no": fn()}
    made = flow("meeting", nodes, "a>b", "b>c", "c>b1", "b1>yes", "b1>no")
    made["edges"]["b1-yes"]["when"] = f"{sizes} == 150000"
    made["edges"]["b1-no"]["else"] = True
    return made


async def test_what_one_decision_needs_at_once_may_be_more_than_the_cache_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values_room, "CACHE_BYTES", 10)
    async with aob.open(tmp_path / "home", app=Deed().handlers()) as app:
        await app.push(meeting())
        runs = [await app.start("meeting") for _ in range(5)]
        for run in runs:
            told = await finished(app, run.id)
            assert (told["status"], told["output"]) == ("COMPLETED", 300_000), told["error"]
        report = await app.views.replay(app.who, runs[0].id, from_node="c")
        assert (report["status"], report["same"]) == ("COMPLETED", True)
        assert not app.views.core.values._asking, "nothing is pinned for ever"


@pytest.mark.parametrize("by", ["b1", "yes"])
async def test_beyond_a_limit_it_is_set_aside_or_its_node_fails_and_both_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setattr(values_room, "CACHE_BYTES", 10)
    monkeypatch.setattr(values_room, "PINNED_MAX", 70_000)
    document = meeting()
    if by == "yes":
        document["edges"]["b1-yes"]["when"] = "size(nodes.c.output) > 3"
    async with aob.open(tmp_path / "home", app=Deed().handlers()) as app:
        await app.push(document)
        run = await app.start("meeting")
        if by == "b1":
            await until(app, run.id, "run_quarantined")
            said = (await app.run(run.id))["reason"]
        else:
            told = await finished(app, run.id)
            said = told["error"]["message"]
            assert told["error"]["code"] == "too_large"
        assert "MiB of values at once" in said
        assert "blobs" in said


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    wanted=st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=8, unique=True), min_size=1, max_size=5),
    cache=st.integers(0, 60), limit=st.integers(0, 200),
)  # fmt: skip
async def test_values_of_any_sizes_are_fetched_a_bounded_number_of_times(
    sizes: list[int], wanted: list[list[int]], cache: int, limit: int
) -> None:
    store = {digest_of(bytes([n])): b"x" * size for n, size in enumerate(sizes)}
    refs = [Ref(digest, 0) for digest in store]
    fetched = Counter[bytes]()

    class Rows:
        async def value(self, tenant: str, digest: bytes) -> None:
            return None

    class Slow:
        async def get(self, tenant: str, digest: bytes) -> bytes:
            await asyncio.sleep(0)
            fetched[digest] += 1
            return store[digest]

    values = values_room.Values(cast(Store, Rows()), cast(Blobs, Slow()))

    async def decided(needed: list[Ref]) -> int | None:
        def make() -> int:
            at_hand = values.of("t")
            for ref in needed:
                if ref.digest not in at_hand:
                    raise Needs(ref)
            return sum(len(at_hand[ref.digest]) for ref in needed)

        try:
            return await values.given("t", make)
        except TooLarge:
            return None

    with replaced((values_room, "CACHE_BYTES", cache), (values_room, "PINNED_MAX", limit)):
        many = [[refs[n % len(refs)] for n in some] for some in wanted]
        for needed, made in zip(many, await asyncio.gather(*map(decided, many)), strict=True):
            mine = [len(store[digest]) for digest in {ref.digest for ref in needed}]
            assert made is None or made == sum(len(store[ref.digest]) for ref in needed)
            assert made is not None or (sum(mine) > limit and len(mine) > 1), "it fits and was refused"
            assert made is None or sum(mine) <= max(limit, *mine) + cache + 2 * max(mine), "it was not refused"
        assert sum(fetched.values()) <= 3 * len(many) * sum(map(len, many))
        assert not values._asking
        values.remember("t", b"k" * 32, b"")
        assert values._bytes == sum(map(len, values.of("t").values())) <= max(cache, *sizes)


async def test_a_value_over_the_limit_is_kept_for_a_decision_and_for_no_other_reader() -> None:
    blobs = MemoryBlobs()
    values = values_room.Values(MemoryStore(), blobs)
    digests = [(await blobs.put("t", data)).digest for data in (b"x" * 100, b"y" * 101)]
    with replaced((values_room, "CACHE_BYTES", 100)):
        assert [len(await values.fetch("t", digest)) for digest in digests] == [100, 101]
        assert list(values.of("t")) == digests[:1]
        values.asks("run", "t", digests[1])
        await values.fetch("t", digests[1])
        assert digests[1] in values.of("t")
