"""Requests between processes of a cluster, over TCP and TLS: as over the pair of sockets of an owner, and what is more:
who may ask, who waits how long, and what a connection that ends leaves behind."""

import asyncio

import msgspec
import pytest

from aob.backends.tcp import connect
from aob.compose.network import Member
from aob.compose.network.identity import GROUPS, MOVES, RIGHTS, ROLES, may_ask
from aob.compose.network.server import ASKS_MAX
from aob.compose.shards.inner import OWN_STREAMS, OfMain, OfOwner
from aob.compose.topics import TopicsOfShard
from aob.compose.wire.asks import UNTIL
from aob.compose.wire.frames import WINDOW, Ask, Frame, Kind, Wire, encode, value_of
from aob.compose.wire.requests import Requests
from aob.core.errors import Busy, CallerError, Conflict, Refused, Unavailable
from aob.core.policy import LOCAL, Caller
from aob.core.verbs import TABLE
from aob.ports.telemetry import TRACE, Trace
from aob.testing.proxy import Proxy
from tests.network.peers import STREAMS, Desk, Shards, asking, both, served, until

pytestmark = pytest.mark.timeout(30)
NOBODY = Caller("aob", "aob", frozenset())


@pytest.mark.parametrize("secure", [False, True])
async def test_a_verb_reaches_the_shard_that_it_names_with_its_caller_and_its_answer_or_error_comes_back(
    secure: bool,
) -> None:
    async with both(Shards(0, 3), secure=secure) as peer:
        for number in (0, 3):
            told = await peer.call(number, "run", LOCAL, "run_1", min_position=None)
            assert told == [number, "run", "local", ["run_1"], {"min_position": None}]
        assert await peer.call(3, "blob", LOCAL) == bytes(range(256))
        with pytest.raises(Conflict) as refused:
            await peer.call(3, "cancel", LOCAL)
        assert (refused.value.code, refused.value.fields["run"]) == ("run_over", "run_1")
        with pytest.raises(Unavailable) as unowned:
            await peer.call(7, "run", LOCAL)
        assert unowned.value.code == "not_owner"


@pytest.mark.parametrize("secure", [False, True])
async def test_many_requests_and_streams_share_one_connection(secure: bool) -> None:
    async with both(Shards(*range(4)), secure=secure) as peer:

        async def stream(shard: int) -> list[int]:
            return [item async for item in peer.stream(shard, "logs", LOCAL, 3 * WINDOW)]

        calls = [peer.call(number % 4, "run", LOCAL, number) for number in range(300)]
        streams, answers = await asyncio.gather(
            asyncio.gather(*(stream(shard) for shard in range(4))), asyncio.gather(*calls)
        )
        assert streams == [list(range(3 * WINDOW))] * 4
        assert [answer[3] for answer in answers] == [[number] for number in range(300)]


async def test_a_caller_who_stops_waiting_ends_the_work_at_the_other_end() -> None:
    shards = Shards(0)
    async with both(shards) as peer:
        waiting = asyncio.create_task(peer.call(0, "wait", LOCAL))
        await shards.desks[0].came.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await shards.desks[0].left.wait()
        assert shards.desks[0].cancelled == ["wait"]
        feed = peer.stream(0, "follow", LOCAL, 3)
        assert await anext(feed) == 0
        shards.desks[0].left.clear()
        await feed.aclose()  # type: ignore[attr-defined]
        await shards.desks[0].left.wait()


async def test_what_a_caller_waits_and_its_trace_travel_with_the_request() -> None:
    shards = Shards(0)
    seen: list[tuple[Trace | None, float | None]] = []

    class Seeing(Desk):
        async def call(self, verb: str, who: Caller | None, *args: object, **named: object) -> object:
            seen.append((TRACE.get(), UNTIL.get()))
            return await super().call(verb, who, *args, **named)

    shards.desks[0] = Seeing()
    async with both(shards) as peer:
        trace, loop = Trace("a" * 32, "b" * 16, "acme"), asyncio.get_running_loop()

        async def ask(verb: str, left_s: float) -> object:
            TRACE.set(trace)
            UNTIL.set(loop.time() + left_s)
            return await peer.call(0, verb, LOCAL)

        await asyncio.create_task(ask("run", 60.0))
        await peer.call(0, "run", LOCAL)
        with pytest.raises(Unavailable) as late:
            await asyncio.create_task(ask("wait", 0.05))
        assert late.value.code == "deadline_passed"
        (one, none, _) = seen
        assert one[0] == trace
        assert one[1] is not None
        assert loop.time() + 50 < one[1] < loop.time() + 61
        assert none == (None, None)
        assert shards.desks[0].cancelled == ["wait"]


def test_what_an_owner_was_told_before_there_were_shards_traces_and_deadlines_is_written_as_before() -> None:
    assert msgspec.json.encode(Ask("run", None, [1], {})) == b'{"verb":"run","who":null,"args":[1],"named":{}}'


async def test_a_process_that_asks_too_much_at_once_is_told_so_and_the_others_go_on() -> None:
    shards = Shards(0)
    async with both(shards) as peer, asking() as others:
        waiting = [asyncio.create_task(peer.call(0, "wait", LOCAL)) for _ in range(ASKS_MAX)]
        await until(lambda: len(shards.desks[0].asked) == ASKS_MAX)
        with pytest.raises(Busy) as busy:
            await peer.call(0, "run", LOCAL)
        assert busy.value.code == "peer_busy"
        other = others.of(peer.address)
        await other.ready()
        assert await other.call(0, "run", LOCAL)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await until(lambda: len(shards.desks[0].cancelled) == ASKS_MAX)
        assert await peer.call(0, "run", LOCAL)


async def test_whoever_waits_is_told_when_the_connection_ends_and_it_is_made_again() -> None:
    shards = Shards(0)
    async with served(shards) as server, asking() as peers:
        host, port = server.address.rsplit(":", 1)
        async with Proxy(host, int(port)) as proxy:
            peer = peers.of(proxy.url)
            await peer.ready()
            waiting = asyncio.create_task(peer.call(0, "wait", LOCAL))
            feed = peer.stream(0, "follow", LOCAL, 1)
            assert await anext(feed) == 0
            await shards.desks[0].came.wait()
            proxy.cut()
            for lost in (waiting, anext(feed)):
                with pytest.raises(Unavailable) as raised:
                    await lost
                assert (raised.value.code, raised.value.fields["shard"]) == ("shard_lost", 0)
            await shards.desks[0].left.wait()  # the work of a caller that has gone ends
            with pytest.raises(Unavailable) as down:
                await peer.call(0, "run", LOCAL)
            assert down.value.code in ("shard_down", "shard_lost")
            await peer.ready()
            assert await peer.call(0, "run", LOCAL)


async def test_an_address_where_nobody_listens_is_tried_again_until_somebody_does() -> None:
    shards = Shards(0)
    async with served(shards) as server:
        port = int(server.address.rsplit(":", 1)[1])
    async with asking() as peers:
        peer = peers.of(f"127.0.0.1:{port}")
        await peer.tried()
        assert not peer.up
        assert peer.state == "nobody listens there"
        with pytest.raises(Unavailable, match="nobody listens there"):
            await peer.call(0, "run", LOCAL)
        async with served(shards, port=port):
            await peer.ready()
            assert await peer.call(0, "run", LOCAL)


# -- who may ask what -----------------------------------------------------------------------------------------------


def test_each_request_between_processes_stands_in_a_group_and_each_role_in_the_table() -> None:
    known = frozenset().union(*GROUPS.values())
    for room in (OfOwner, OfMain, TopicsOfShard):
        names = {name for name in vars(room) if not name.startswith("_")}
        assert names <= known, f"compose/network/identity.py: who may ask for {names - known}?"
    assert {verb.name for verb in TABLE} | OWN_STREAMS <= known
    assert set(RIGHTS) == set(ROLES)
    assert {group for groups in RIGHTS.values() for group in groups} == set(GROUPS) | {MOVES}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_ask_what_its_groups_hold_and_nothing_else(role: str) -> None:
    verbs = [*sorted(frozenset().union(*GROUPS.values())), "move_open", "nothing", "", "__init__"]
    for verb in verbs:
        allowed = any(verb in GROUPS.get(group, ()) for group in RIGHTS[role]) or (
            verb == "move_open" and MOVES in RIGHTS[role]
        )
        if allowed:
            may_ask({role}, verb)
        else:
            with pytest.raises(Refused) as refused:
                may_ask({role}, verb)
            assert refused.value.code == "role_refused"


@pytest.mark.parametrize(
    ("role", "verbs"),
    [
        ("fanout", ("link_secrets", "start_meant", "start_targets", "start", "create_key", "deliver", "erase")),
        ("worker", ("run", "health", "members", "shared_settings", "keyring", "value")),
        ("api", ("deliver", "move_open", "topic_append", "group_move")),
        ("nobody", ("health", "members")),
    ],
)  # fmt: skip
def test_what_a_role_has_no_need_of_it_may_not_ask_whatever_the_table_says(role: str, verbs: tuple[str, ...]) -> None:
    known = frozenset().union(*GROUPS.values()) | {"move_open"}
    assert known >= set(verbs)
    for verb in verbs:
        with pytest.raises(Refused):
            may_ask({role}, verb)


@pytest.mark.parametrize("secure", [False, True])
async def test_a_request_over_ones_role_is_refused_and_the_connection_goes_on(secure: bool) -> None:
    shards = Shards(0)
    async with both(shards, secure=secure, role="fanout") as peer:
        for verb in ("start", "deliver", "move_open", "create_key", "erase"):
            with pytest.raises(Refused) as refused:
                await peer.call(0, verb, LOCAL)
            assert refused.value.code == "role_refused"
        with pytest.raises(Refused):
            await anext(peer.stream(0, "start", LOCAL))
        assert shards.desks[0].asked == []
        assert await peer.call(0, "run", NOBODY, "run_1")
        assert [item async for item in peer.stream(0, "milestones", NOBODY, 3)] == [0, 1, 2]


def test_the_streams_of_a_test_are_streams() -> None:
    assert OWN_STREAMS | {verb.name for verb in TABLE if verb.streams} >= STREAMS


@pytest.mark.parametrize("answered", [True, False])
async def test_who_leaves_answers_what_it_was_asked_and_waits_for_nobody_for_ever(
    answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = Shards(0)
    desk = shards.desks[0]
    desk.held = asyncio.Event()
    if not answered:
        monkeypatch.setattr("aob.compose.network.server.ANSWERED_S", 0.2)
    async with served(shards) as server, asking() as peers:
        peer = peers.of(server.address)
        await peer.ready()
        asked = asyncio.create_task(peer.call(0, "run", LOCAL))
        await desk.came.wait()
        leaving = asyncio.create_task(server.answered())
        with pytest.raises(Unavailable) as refused:
            await peer.call(7, "run", LOCAL)
        assert refused.value.code == "not_owner"
        if answered:
            assert not leaving.done()
            desk.held.set()
        await leaving
        await server.close()
        if answered:
            assert (await asked)[1] == "run"
        else:
            with pytest.raises(Unavailable) as lost:
                await asked
            assert lost.value.code == "shard_lost"


@pytest.mark.parametrize("body", [
    b"", b"[1]", b"[" * 5_000, b'{"verb":"knows"}', b'{"verb":1,"who":null,"args":[],"named":{}}',
    b'{"verb":"knows","who":null,"args":[],"named":{"who":1}}',
    b'{"verb":"knows","who":null,"args":[],"named":{"self":1}}',
    b'{"verb":"milestones","who":null,"args":[],"named":{}}',
])  # fmt: skip
async def test_what_no_process_of_ours_asks_is_answered_as_such_and_the_connection_goes_on(body: bytes) -> None:
    async with served(Shards(0)) as server:
        host, _, port = server.address.rpartition(":")
        wire = Wire(await connect(host, int(port), None))
        wire.send(0, Kind.ASK, encode(Member(("api",)).greeting()))
        assert (await wire.receive()) is not None
        for number in (1, 2):
            wire.send(number, Kind.ASK, body)
            answer = await wire.receive()
            assert answer is not None
            with pytest.raises(CallerError) as told:
                value_of(answer)
            assert (answer.number, told.value.code) == (number, "bad_ask")
        wire.close()


class Unread:
    """The end of a connection whose other end asks and asks, and reads nothing after the first answers."""

    ROOM = 8

    def __init__(self, asks: int) -> None:
        self.asks, self.came, self.sent = asks, 0, 0
        self.read, self.closed = asyncio.Event(), asyncio.Event()

    def send(self, message: bytes) -> None:
        self.sent += 1

    async def drained(self) -> None:
        if self.sent >= self.ROOM:
            await self.read.wait()

    async def receive(self) -> bytes | None:
        if self.came == self.asks:
            await self.closed.wait()
            return None
        self.came += 1
        await asyncio.sleep(0)
        ask = Ask(verb="run", who=LOCAL, args=[], named={}, shard=0)
        return msgspec.msgpack.encode(Frame(self.came, Kind.ASK, encode(ask)))

    def close(self) -> None:
        self.closed.set()


async def test_who_asks_and_reads_no_answer_is_not_read_either() -> None:
    wire = Unread(10_000)
    desk = Desk()
    async with Requests(Wire(wire), lambda ask: desk, STREAMS, asks_max=4):
        await until(lambda: wire.sent >= wire.ROOM)
        for _ in range(10_000):
            await asyncio.sleep(0)
        assert wire.sent <= wire.ROOM + 4
        assert wire.came <= wire.ROOM + 8
        wire.read.set()
        await until(lambda: wire.sent == wire.asks)  # each has an answer in the end
        wire.close()
