"""An api before several owners: what is of one run goes to its owner, the rest to the main process; and what finds no
owner waits for one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.compose.api import HOME_STREAMS, DirectHome, Holders, HomeRoom
from aob.compose.api.direct import OF_SOME_RUN, of_owners
from aob.compose.api.members import Members, MemberTold
from aob.compose.api.targets import BATCH_MAX, Targets
from aob.compose.layout import Layout
from aob.compose.network import Member, Peers, PeerServer, RemoteShard, Route, not_owner
from aob.compose.wire import waiting
from aob.compose.wire.requests import Performs
from aob.core.answers import JsonObject
from aob.core.errors import NotFound, Refused, Unavailable
from aob.core.event import Position
from aob.core.policy import LOCAL, Caller
from aob.core.verbs import TABLE
from aob.runs import StartTarget, names_of
from aob.runs.laws.catalog import Tag
from tests.network.peers import STREAMS, until

pytestmark = pytest.mark.timeout(60)
FILES = 4
LAYOUT = Layout.of(FILES)
TARGET = StartTarget("w", Tag("sha256:" + "0" * 64, "1", 1))


class Engine:
    """The main process's own verbs, and what it resolves."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def health(self) -> JsonObject:
        return {"status": "ok"}

    async def runs(self, who: Caller, **named: Any) -> JsonObject:
        self.asked.append("runs")
        return {"runs": [], "next": None, "as_of": ""}

    async def run(self, who: Caller, **named: Any) -> JsonObject:
        self.asked.append("run")
        return {"at": "home"}

    async def start(self, who: Caller, **named: Any) -> JsonObject:
        return {"at": "home"}

    async def start_many(self, who: Caller, items: list[JsonObject]) -> list[JsonObject]:
        return [{"at": "home"} for _ in items]

    async def resolved(self, who: Caller, items: Sequence[Any], known: dict[str, StartTarget]) -> None:
        self.asked.append("resolved")
        for item in items:
            if item.get("workflow") == "w":
                known[names_of(item)] = TARGET


class Shard:
    """One shard of a member."""

    def __init__(self, number: int, name: str) -> None:
        self.number, self.name = number, name
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refused = 0
        self.lapsed = False

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        if self.refused:
            self.refused -= 1
            raise not_owner(self.number)
        if self.lapsed:
            raise not_owner(self.number, lapsed=True)
        if verb == "health":
            return {"status": "ok"}
        self.asked.append((verb, named))
        if verb == "start_meant":
            items, meant, _ = args
            known = msgspec.json.decode(meant, type=dict[str, StartTarget])
            return [self._start(item, known) for item in items]
        if verb == "timeline":
            return []
        return {"by": self.name, "shard": self.number, "position": Position.joined([(3, 1)])}

    def _start(self, item: JsonObject, known: dict[str, StartTarget]) -> JsonObject:
        if names_of(item) not in known:
            return {"error": {"status": 404, "code": "workflow_not_found", "detail": "there is none"}}
        return {"run_id": item.get("run_id", "run_new"), "created": True, "at": self.number}

    async def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        self.asked.append((verb, named))
        yield Position.joined([(4, 0)]), "e", {"run": named.get("run_id"), "by": self.name}


class Process:
    """A member: its shards, and the home where it has shard 0."""

    def __init__(self, name: str, cluster: "Cluster") -> None:
        self.name, self.cluster = name, cluster
        self.shards: dict[int, Shard] = {}
        self.engine = Engine()
        self.earlier = False
        self.server: PeerServer | None = None
        self.home = HomeRoom(
            lambda: (self.engine,), lambda: [(sha256(b"secret").hexdigest(), LOCAL)], [b"s" * 32],
            resolves=self.engine.resolved,
        )  # fmt: skip

    @property
    def address(self) -> str:
        return self.server.address if self.server is not None else ""

    def find(self, shard: int) -> Performs:
        if shard == -1:
            return Door(self)
        if shard not in self.shards:
            raise not_owner(shard)
        return self.shards[shard]


class Door:
    """What a member answers for the home."""

    number = -1

    def __init__(self, process: Process) -> None:
        self.process = process

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        if verb == "members":
            return self.process.cluster.members()
        if verb == "layout":
            if self.process.earlier:
                raise Refused("what is that?", code="role_refused")
            return LAYOUT
        return await self._home().call(verb, who, *args, **named)

    def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        return self._home().stream(verb, who, *args, **named)

    def _home(self) -> HomeRoom:
        cluster = self.process.cluster
        if (main := self.process.shards.get(0)) is not None and main.lapsed:
            raise not_owner(-1, lapsed=True)
        if 0 not in self.process.shards:
            main = next((each for each in (cluster.one, cluster.two) if 0 in each.shards), None)
            raise not_owner(-1, main.address if main is not None else "", cluster.terms[0])
        return self.process.home


class Cluster:
    """Two members: `one` has the shards 0 and 2, `two` the others."""

    def __init__(self, peers: Peers) -> None:
        self.one, self.two = Process("one", self), Process("two", self)
        self.terms = dict.fromkeys(range(FILES), 1)
        self.peers = peers
        for number in range(FILES):
            self.gives(number, self.two if number % 2 else self.one)

    def gives(self, number: int, to: Process | None) -> None:
        """Another process has a shard from now on, or none."""
        for each in (self.one, self.two):
            each.shards.pop(number, None)
        if to is not None:
            to.shards[number] = Shard(number, to.name)
        self.terms[number] += 1

    def lapse(self) -> None:
        """No lease is renewed any more, and nobody takes a shard."""
        for each in (self.one, self.two):
            for shard in each.shards.values():
                shard.lapsed = True

    def members(self) -> list[JsonObject]:
        return [
            {"id": each.name, "address": each.address, "shards": [*each.shards],
             "terms": [] if each.earlier else [self.terms[shard] for shard in each.shards]}
            for each in (self.one, self.two) if each.address
        ]  # fmt: skip

    def shard(self, number: int) -> Shard:
        """Where it is now."""
        return next(each.shards[number] for each in (self.one, self.two) if number in each.shards)


@asynccontextmanager
async def clustered() -> AsyncIterator[tuple[Cluster, Any]]:
    """Two members, and an api before them."""
    async with AsyncExitStack() as stack:
        peers = await stack.enter_async_context(Peers(Member(("api",))))
        made = Cluster(peers)
        for each in (made.one, made.two):
            server = PeerServer(Member(("coordinator",)), each.find, STREAMS | HOME_STREAMS)
            each.server = await stack.enter_async_context(await server.open("127.0.0.1", 0))
        holders = Holders([made.two.address], peers)
        home = await stack.enter_async_context(DirectHome(holders, peers))
        assert home.direct
        yield made, home


def run_of(shard: int) -> str:
    """The id of a run of this shard."""
    ids = (f"run_{number:022d}" for number in range(10_000))
    return next(each for each in ids if LAYOUT.shard_of(each) == shard)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for an owner."""
    monkeypatch.setattr("aob.compose.shards.sharded.UNOWNED_S", 0.3)
    monkeypatch.setattr("aob.compose.api.direct.UNOWNED_S", 0.3)


async def test_what_is_of_one_run_goes_to_its_owner_and_the_rest_to_the_main_process() -> None:
    async with clustered() as (made, home):
        for number in range(FILES):
            told = await home.run(LOCAL, run_of(number))
            assert (told["by"], told["shard"]) == (made.shard(number).name, number)
            assert Position.split(told["position"], FILES)[number] == Position.joined([(3, 1)])
        await home.message(LOCAL, run_of(3), "go", payload={"a": 1})
        assert made.shard(3).asked[-1][1]["payload"] == {"a": 1}
        (item,) = [each async for each in home.follow(LOCAL, run_id=run_of(1))]
        assert item[2]["by"] == "two"
        assert await home.tickets(LOCAL, run_id=run_of(1)) is not None
        assert await home.runs(LOCAL) == {"runs": [], "next": None, "as_of": ""}
        assert made.one.engine.asked == ["runs"]


async def test_starts_are_resolved_at_the_main_process_and_go_to_the_owners_of_their_ids() -> None:
    async with clustered() as (made, home):
        items = [{"workflow": "w", "run_id": run_of(number)} for number in range(FILES)]
        told = await home.start_many(LOCAL, [*items, {"workflow": "none"}])
        assert [each.get("at") for each in told[:FILES]] == list(range(FILES))
        assert [each["error"]["code"] for each in told[FILES:]] == ["workflow_not_found"]
        assert made.one.engine.asked == ["resolved"] * 2, "each name once"
        places = {(await home.start(LOCAL, "w"))["at"] for _ in range(FILES)}
        assert places == set(range(FILES)), "one after the other"
        with pytest.raises(NotFound):
            await home.start(LOCAL, "none")


async def test_starts_go_to_a_main_process_of_an_earlier_release() -> None:
    async with clustered() as (made, home):
        made.one.home._resolves = None
        assert await home.start(LOCAL, "w") == {"at": "home"}
        assert await home.start_many(LOCAL, [{"workflow": "w"}]) == [{"at": "home"}]
        assert (await home.run(LOCAL, run_of(1)))["by"] == "two"


async def test_while_the_main_process_is_away_other_owners_answer_and_this_one_is_ready(short: None) -> None:
    async with clustered() as (made, home):
        assert made.one.server is not None
        await made.one.server.close()
        assert (await home.run(LOCAL, run_of(1)))["by"] == "two"
        assert (await home.wait(LOCAL, run_of(3), 1_000))["by"] == "two"
        assert [each async for each in home.follow(LOCAL, run_id=run_of(1))]
        assert (await home.health())["status"] == "ok"
        for asked in (home.runs(LOCAL), home.run(LOCAL, run_of(2)), home.start(LOCAL, "w")):
            with pytest.raises(Unavailable) as unowned:
                await asked
            assert unowned.value.code == "shard_unowned"


async def test_one_whose_members_have_no_lease_that_counts_is_not_ready_and_says_why(short: None) -> None:
    async with clustered() as (made, home):
        made.lapse()
        with pytest.raises(Unavailable, match="database") as unowned:
            await home.health()
        assert unowned.value.code == "shard_unowned"
        for asked in (home.runs(LOCAL), home.run(LOCAL, run_of(1)), home.run(LOCAL, run_of(2))):
            with pytest.raises(Unavailable, match="database"):
                await asked
        for order in ((made.one, made.two), (made.two, made.one)):
            found = RemoteShard(-1, Holders([each.address for each in order], made.peers), made.peers)
            with pytest.raises(Unavailable, match="database"):  # whoever is asked last
                await found.call("home_health", None)
        made.two.shards[1].lapsed = False
        assert (await home.health())["main"] == "shard_unowned"


async def test_what_finds_no_owner_waits_for_the_next_one() -> None:
    async with clustered() as (made, home):
        made.gives(1, None)
        starts = [{"workflow": "w", "run_id": run_of(number)} for number in (0, 1)]
        asked = home.run(LOCAL, run_of(1)), home.message(LOCAL, run_of(1), "go"), home.start_many(LOCAL, starts)
        waits = [asyncio.create_task(each) for each in asked]
        views = home._views
        await until(lambda: views._waiting.number > 0)
        made.gives(1, made.one)
        run, _, started = await asyncio.gather(*waits)
        assert run["by"] == "one"
        assert [each["at"] for each in started] == [0, 1]
        made.gives(0, None)
        listed = asyncio.create_task(home.runs(LOCAL))
        await until(lambda: home._waiting.number == 1)
        made.gives(0, made.two)
        assert await listed
        assert made.two.engine.asked == ["runs"]


async def test_only_so_many_wait_and_only_so_long(short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    async with clustered() as (made, home):
        made.gives(1, None)
        with pytest.raises(Unavailable) as late:
            await home.run(LOCAL, run_of(1))
        assert (late.value.code, late.value.status) == ("shard_unowned", 503)
        (verdict,) = await home.start_many(LOCAL, [{"workflow": "w", "run_id": run_of(1)}])
        assert verdict["error"]["code"] == "shard_unowned"
        monkeypatch.setattr("aob.compose.shards.sharded.UNOWNED_S", 60.0)
        views = home._views
        views._waiting.number = waiting.UNOWNED_MAX
        with pytest.raises(Unavailable):
            await home.run(LOCAL, run_of(1))
        views._waiting.number, views._waiting.bytes = 0, waiting.UNOWNED_BYTES
        with pytest.raises(Unavailable):
            await home.message(LOCAL, run_of(1), "go", payload="x")
        views._waiting.bytes = 0


async def test_a_start_that_its_owner_did_not_take_any_more_is_started_once_by_the_next() -> None:
    async with clustered() as (made, home):
        made.shard(2).refused = 7  # it is handing over: more than the three tries
        told = await home.start(LOCAL, "w", run_id=run_of(2))
        assert (told["at"], [verb for verb, _ in made.shard(2).asked]) == (2, ["start_meant"])


async def test_a_home_that_one_process_has_is_asked_for_everything() -> None:
    engine = Engine()
    room = HomeRoom(lambda: (engine,), list, [b"s" * 32])
    async with PeerServer(Member(("coordinator",)), lambda shard: room, HOME_STREAMS) as server:
        await server.open("127.0.0.1", 0)
        async with Peers(Member(("api",))) as peers, DirectHome(Holders([server.address], peers), peers) as home:
            verbs: Any = home
            assert not home.direct
            assert await verbs.run(LOCAL, run_of(1)) == {"at": "home"}


def test_which_verbs_go_to_owners() -> None:
    direct = {verb.name for verb in TABLE if of_owners(verb)}
    assert {"run", "wait", "timeline", "graph", "propose", "patch", "answer", "message", "cancel", "logs"} <= direct
    assert {"start", "start_many", "follow", "tickets"} <= direct
    assert direct.isdisjoint(verb.name for verb in TABLE if verb.answered_by == "main")
    assert direct.isdisjoint(("runs", "workers", "builds", "prune", "blob", "items", "put_job_blob"))
    assert all("run_id" in verb.args.__struct_fields__ for verb in OF_SOME_RUN)  # type: ignore[attr-defined]


# -- who owns what --------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.sampled_from("ab")), max_size=20))
def test_a_word_about_an_owner_counts_only_if_no_newer_one_is_known(words: list[tuple[int, int, str]]) -> None:
    directory = Members(Holders([""], None), None, lambda layout: None)  # type: ignore[arg-type]
    newest: dict[int, Route] = {}
    for shard, term, address in words:
        directory.learn(shard, Route(address, term))
        if shard not in newest or newest[shard].epoch < term:
            newest[shard] = Route(address, term)
    assert {shard: directory.owner(shard) for shard in newest} == newest


async def test_a_member_that_slept_tells_nothing_that_counts_against_newer_words() -> None:
    async with clustered() as (made, home):
        directory = home._members
        directory.learn(1, Route("127.0.0.1:1", 99))
        directory._read_s = -1.0
        await directory.look(1)
        assert directory.owner(1) == Route("127.0.0.1:1", 99)
        made.terms[1] = 100
        directory._read_s = -1.0
        assert await directory.look(1) == Route(made.two.address, 100)
        assert set(home._home._directory.addresses) == {made.one.address, made.two.address}


async def test_a_member_of_an_earlier_release_tells_no_terms_and_no_layout() -> None:
    async with clustered() as (made, home):
        made.one.earlier = made.two.earlier = True
        home._members._read_s = -1.0
        await home._members.look(1)
        assert home.direct, "what another one told still counts"
        gone = "127.0.0.1:1"
        home._members._routes[1] = Route(gone, 99)
        home._members._read_s = -1.0
        found = await home._members.look(1)
        assert found is not None
        assert found.address != gone, "the member that was left was killed; one of an earlier release has its shards"
    told = msgspec.convert({"id": "m", "address": "h:1", "shards": [1, 2]}, MemberTold)
    assert (told.shards, told.terms) == ([1, 2], [])


def test_a_word_without_a_term_counts_only_while_the_owner_that_was_known_is_no_member() -> None:
    directory = Members(Holders([""], None), None, lambda layout: None)  # type: ignore[arg-type]
    directory._routed([MemberTold("a:1", [1, 2], [5, 5]), MemberTold("b:1")])
    directory._routed([MemberTold("a:1"), MemberTold("b:1", [1])])
    assert directory.owner(1) == Route("a:1", 5), "it is a member: whoever says otherwise may have slept"
    directory._routed([MemberTold("b:1", [1])])
    assert directory.owner(1) == Route("b:1", 5)
    directory._routed([MemberTold("c:1", [1], [4]), MemberTold("d:1", [3])])
    assert [directory.owner(shard) for shard in (1, 3)] == [Route("b:1", 5), Route("d:1", 0)]
    directory._routed([MemberTold("c:1", [1], [6])])
    assert directory.owner(1) == Route("c:1", 6)


def test_processes_that_were_named_at_the_start_are_asked_for_ever_and_others_while_they_are_members() -> None:
    holders = Holders(["a:1", "b:1"], None)  # type: ignore[arg-type]
    holders.knows({"b:1": "beta", "c:1": "gamma"})
    assert holders.addresses == ("a:1", "b:1", "c:1")
    holders.learn(-1, Route("d:1", 3))
    holders.knows({"b:1": "beta"})
    assert holders.addresses == ("a:1", "b:1", "d:1"), "the one that is asked now stays"
    assert holders.owner(-1) == Route("d:1", 0)
    assert holders.names == {"a:1": "", "b:1": "beta", "d:1": ""}


async def test_who_has_the_home_is_told_once_whenever_that_changes() -> None:
    laid = list[Layout | None]()
    directory = Members(Holders(["a:1"], None), None, laid.append)  # type: ignore[arg-type]

    async def members() -> tuple[list[MemberTold], Layout | None]:
        return [MemberTold("a:1", [0], [1])], LAYOUT

    async def alone() -> tuple[list[MemberTold], Layout | None]:
        raise NotFound("there is no such verb", code="unknown_verb")

    async def away() -> tuple[list[MemberTold], Layout | None]:
        raise Unavailable("it is away", code="shard_down")

    for asked, believed, told in (
        (away, False, []), (alone, True, []), (members, True, [LAYOUT]), (members, True, [LAYOUT]),
        (away, False, [LAYOUT]), (alone, True, [LAYOUT, None]), (alone, True, [LAYOUT, None]),
        (members, True, [LAYOUT, None, LAYOUT]),
    ):  # fmt: skip
        assert await directory._taken(asyncio.ensure_future(asked())) is believed
        assert laid == told


# -- names of starts ------------------------------------------------------------------------------------------------


class Book:
    """A main process that resolves when it is let."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.gate = asyncio.Event()
        self.error: Unavailable | None = None

    async def __call__(self, asked: list[tuple[Caller, JsonObject]]) -> str:
        self.asked.append([f"{who.tenant}/{item.get('workflow')}" for who, item in asked])
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        found = [TARGET if item.get("workflow") != "none" else None for _, item in asked]
        return msgspec.json.encode(found).decode()


async def resolve(targets: Targets, who: Caller, *names: str) -> dict[str, StartTarget]:
    known: dict[str, StartTarget] = {}
    await targets.resolved(who, [{"workflow": name} for name in names], known)
    return known


async def test_starts_that_come_while_names_are_asked_for_share_the_next_request() -> None:
    book, other = Book(), Caller("acme", "ann", frozenset({"run"}), "k")
    targets = Targets(book)
    first = asyncio.create_task(resolve(targets, LOCAL, "w"))
    await until(lambda: bool(book.asked))
    later = [asyncio.create_task(resolve(targets, who, "w", "none")) for who in (LOCAL, other, LOCAL)]
    gone = asyncio.create_task(resolve(targets, LOCAL, "w"))
    await until(lambda: len(targets._wanted) == 4)
    gone.cancel()
    book.gate.set()
    assert len(await first) == 1
    assert [len(each) for each in await asyncio.gather(*later)] == [1, 1, 1]
    assert [sorted(each) for each in book.asked] == [
        ["default/w"], ["acme/none", "acme/w", "default/none", "default/w"]
    ]  # fmt: skip


async def test_an_error_of_the_home_is_every_start_s_that_waited_and_nobody_s_after() -> None:
    book = Book()
    targets = Targets(book)
    book.error = Unavailable("nobody", code="shard_unowned")
    book.gate.set()
    told = await asyncio.gather(*(resolve(targets, LOCAL, "w") for _ in range(3)), return_exceptions=True)
    assert [getattr(each, "code", "") for each in told] == ["shard_unowned"] * 3
    book.error = None
    assert len(await resolve(targets, LOCAL, *(f"w{number}" for number in range(BATCH_MAX + 5)))) == BATCH_MAX + 5
    assert [len(each) for each in book.asked[-2:]] == [BATCH_MAX, 5]
