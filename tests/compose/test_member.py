"""A member of a cluster: whom it believes to own a shard, how it asks a shard wherever it is, under which rules it
accepts documents while another release is a member too, which roles go together."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

import aob
from aob.backends.memory.leases import MemoryLeases
from aob.compose.api import RemoteHome
from aob.compose.cluster import Guard
from aob.compose.coordinator.coordinator import Coordinator
from aob.compose.coordinator.directory import LeaseDirectory
from aob.compose.coordinator.figures import Figures
from aob.compose.coordinator.part import Part
from aob.compose.coordinator.placed import Placed
from aob.compose.coordinator.probes import Probes
from aob.compose.coordinator.routed import RoutedLog, waited
from aob.compose.network import Peers, RemoteShard, Route, not_owner
from aob.compose.roles import Parts, Where, of_member_beside, parted_roles
from aob.compose.settings import Settings
from aob.compose.wire.waiting import finds_owner
from aob.core.cluster import MAIN, Lease, Member, Standing, Tenure
from aob.core.errors import CallerError, Invalid, Unavailable
from aob.core.policy import LOCAL, Caller
from aob.core.rules import RULES
from tests.runs.home import flow

NOW_MS = 1_000


def standing(*leases: Lease, members: tuple[Member, ...] = ()) -> Standing:
    return Standing(NOW_MS, members, leases)


def owned(shard: int, address: str, term: int) -> Lease:
    return Lease(shard, address, address, term, left_ms=1_000)


def directory(own: str = "us:1") -> LeaseDirectory:
    return LeaseDirectory(MemoryLeases(2, 1_000, lambda: NOW_MS), own)


async def asked(probes: Probes, path: str, **headers: str) -> tuple[int, Any]:
    """The status and the body of what a probe is answered."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    names = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await probes({"type": "http", "method": "GET", "path": path, "headers": names}, None, send)
    return sent[0]["status"], msgspec.json.decode(sent[1]["body"])


async def test_a_member_tells_what_it_owns_to_admins_of_the_home_only() -> None:
    whole = {"status": "ok", "member": "m1", "address": "10.0.0.7:9100", "roles": ["metrics"], "shards": [0, 3]}
    known = {"admin": LOCAL, "view": Caller("default", "v", frozenset(["view"])),
             "other": Caller("acme", "a", frozenset(["admin"]))}  # fmt: skip
    probes = Probes(lambda: whole, bytes, [lambda secret: None, known.get])
    assert await asked(probes, "/v1/health", x_api_key="admin") == (200, whole)
    assert await asked(probes, "/v1/health", authorization="Bearer admin") == (200, whole)
    for headers in ({}, {"x_api_key": "view"}, {"x_api_key": "other"}, {"x_api_key": "none"}):
        assert await asked(probes, "/v1/health", **headers) == (200, {"status": "ok"})
    assert await asked(probes, "/health/ready", x_api_key="admin") == (200, {"status": "ready"})
    whole["status"] = "starting"
    assert (await asked(probes, "/health/ready"))[0] == 503
    assert await asked(probes, "/v1/health") == (200, {"status": "starting"})


async def test_the_later_of_two_reports_of_an_owner_counts() -> None:
    known = directory()
    known.told(standing(owned(0, "a:1", 3), Lease(1)))
    assert (known.owner(0), known.owner(-1), known.owner(1)) == (Route("a:1", 3), Route("a:1", 3), None)
    known.learn(0, Route("b:1", 4))
    known.learn(-1, Route("c:1", 4))
    assert known.owner(0) == Route("b:1", 4), "the first of the same term stays"
    known.told(standing(owned(0, "a:1", 3), Lease(1)))
    assert known.owner(0) == Route("b:1", 4), "an older reading changes nothing"
    known.told(standing(Lease(0, term=4), Lease(1)))
    assert known.owner(0) is None


async def test_nobody_is_sent_to_this_process_for_what_it_does_not_have() -> None:
    known = directory("us:1")
    known.told(standing(owned(0, "us:1", 3)))
    assert known.elsewhere(0) == Route("", 0)
    known.learn(0, Route("us:1", 9))
    assert known.owner(0) == Route("us:1", 3)
    known.told(standing(owned(0, "b:1", 4)))
    assert known.elsewhere(0) == Route("b:1", 4)


class Far:
    """A shard of another process."""

    number, up, state = 1, True, "ok"

    async def ready(self) -> None:
        """At once."""

    async def call(self, verb: str, who: Any, *args: Any, **named: Any) -> str:
        return "far"

    async def stream(self, verb: str, who: Any, *args: Any, **named: Any) -> AsyncIterator[str]:
        yield "far"


class Here(Far):
    """The same shard in this process, which is given up after so many items."""

    def __init__(self, items: int) -> None:
        self.items = items

    async def call(self, verb: str, who: Any, *args: Any, **named: Any) -> str:
        if not self.items:
            raise not_owner(1)
        return "here"

    async def stream(self, verb: str, who: Any, *args: Any, **named: Any) -> AsyncIterator[str]:
        for _ in range(self.items):
            yield "here"
        raise not_owner(1)


async def test_a_shard_is_asked_here_while_it_is_here_and_else_at_its_owner() -> None:
    here: dict[int, Any] = {}
    placed, far = Placed(here, Far()), Far()  # type: ignore[arg-type]
    assert far.up
    assert await placed.call("run", LOCAL) == "far"
    here[1] = Here(1)
    assert await placed.call("run", LOCAL) == "here"
    here[1] = Here(0)
    assert await placed.call("run", LOCAL) == "far", "it was being given up: nothing had happened"
    assert [item async for item in placed.stream("follow", LOCAL)] == ["far"]
    here[1] = Here(2)
    got = list[Any]()

    async def read() -> None:
        async for item in placed.stream("follow", LOCAL):
            got.append(item)

    with pytest.raises(Unavailable, match="another owner") as lost:
        await read()
    assert (got, lost.value.code) == (["here", "here"], "shard_lost")


@pytest.mark.parametrize(("code", "repeats", "times"), [
    ("shard_unowned", False, 2), ("not_owner", False, 2), ("shard_lost", True, 2), ("shard_lost", False, 1),
    ("store_away", True, 1),
])  # fmt: skip
async def test_the_main_process_is_asked_again_unless_what_was_asked_may_have_happened(
    code: str, repeats: bool, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aob.compose.coordinator.routed.AGAIN_S", 0.0)
    asked = list[str]()

    async def ask() -> str:
        asked.append(code)
        if len(asked) == 1:
            raise Unavailable("it went", code=code)
        return "done"

    if times == 1:
        with pytest.raises(Unavailable, match="it went"):
            await waited(ask, repeats=repeats)
    else:
        assert await waited(ask, repeats=repeats) == "done"
    assert len(asked) == times


@pytest.mark.parametrize("keyed", [False, True])
async def test_what_is_appended_through_the_main_process_is_sent_again_only_if_it_has_a_key(
    keyed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aob.compose.coordinator.routed.AGAIN_S", 0.0)
    asked = list[str]()

    class Main(Far):
        async def call(self, verb: str, who: Any, *args: Any, **named: Any) -> Any:
            asked.append(verb)
            if len(asked) == 1:
                raise Unavailable("it went", code="shard_lost")
            return []

    main: Any = Main()
    appended = RoutedLog(lambda: None, main).append("acme", "orders", 0, [], keyed=keyed)
    if keyed:
        assert await appended == []
    else:
        with pytest.raises(Unavailable, match="it went"):
            await appended
    assert asked == ["append"] * (1 + keyed)


def test_what_may_have_happened_does_not_wait_for_an_owner() -> None:
    far = RemoteShard(1, directory(), Peers.__new__(Peers))
    assert finds_owner(far._unowned(None))
    with pytest.raises(Unavailable) as late:
        Guard(1, Tenure(9.0, lambda: 1.0)).check()  # also asked when an answer is ready
    assert late.value.code == "shard_unowned"
    assert not finds_owner(late.value)
    assert not finds_owner(not_owner(1))


async def test_an_answer_that_is_ready_after_the_lease_is_over_does_not_leave(tmp_path: Path) -> None:
    now = [0.0]
    tenure = Tenure(9.0, lambda: now[0])
    tenure.renewed(0.0)

    async def slow(who: Any) -> str:
        now[0] += 3.0
        return "done"

    async with aob.open(tmp_path / "home") as app:
        part = Part(1, app, Guard(1, tenure), {"run": slow, "start": slow})
        assert await part.call("run", LOCAL) == "done"
        now[0] = 4.0
        assert await told(part, "start") == "shard_lost", "it may have happened"
        now[0] = 5.0
        assert await told(part, "run") == "not_owner", "it may be asked again"
        assert await told(part, "start") == "not_owner", "nothing has happened"
        with pytest.raises(Unavailable, match="is the database away"):
            await part.call("run", LOCAL)
        member: Any = SimpleNamespace(parts={MAIN: part}, home=None, _directory=directory("us:1"))
        with pytest.raises(Unavailable, match="the lease of the home"):
            Coordinator.home_room(member)
        member._directory.learn(MAIN, Route("b:1", 9))
        with pytest.raises(Unavailable, match="owned by b:1"):
            Coordinator.home_room(member)
        part.close()
        with pytest.raises(Unavailable, match="another process"):
            await part.call("run", LOCAL)


async def test_who_waits_for_a_run_of_a_shard_that_is_given_up_is_sent_to_its_next_owner(tmp_path: Path) -> None:
    tenure = Tenure(9.0, lambda: 1.0)
    tenure.renewed(1.0)
    begun, ended = asyncio.Event(), list[str]()

    async def waits(who: Any, run_id: str) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(run_id)
        return ""

    async def closing(who: Any) -> str:
        raise Unavailable("the home is closing", code="closing")

    async with aob.open(tmp_path / "home") as app:
        part = Part(1, app, Guard(1, tenure), {"wait": waits, "message": closing})
        assert await told(part, "message") == "not_owner", "no journal has taken it"
        waiting = asyncio.create_task(part.call("wait", LOCAL, "run_1"))
        await begun.wait()
        part.close()
        with pytest.raises(Unavailable) as gone:
            await waiting
        assert (gone.value.code, ended) == ("not_owner", ["run_1"])


async def told(part: Part, verb: str) -> str:
    """The code of the error of a verb."""
    with pytest.raises(Unavailable) as error:
        await part.call(verb, LOCAL)
    return error.value.code


async def test_a_document_counts_as_accepted_under_the_newest_rules_that_all_know(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        for newest in (RULES - 1, RULES):
            app.views.core.newest_rules = lambda newest=newest: newest  # type: ignore[misc]
            await app.push(flow("w", {"a": {"kind": "timer", "config": {"for": "1s"}}}))
            (stream,) = app.views.core.catalog(LOCAL.tenant)
            assert stream.state.tags["main"].rules == newest


def test_new_documents_are_accepted_under_the_newest_rules_that_every_member_knows() -> None:
    known = directory()
    coordinator = Coordinator.__new__(Coordinator)
    coordinator._directory = known
    assert coordinator.newest_rules() == RULES
    for rules, newest in (((RULES, RULES + 1), RULES), ((RULES, RULES - 1), RULES - 1), ((RULES, 0), RULES)):
        known.members = [Member(f"m{n}", "", rules=each) for n, each in enumerate(rules)]
        assert coordinator.newest_rules() == newest
    known.members = [Member("m", "", rules=RULES)]
    for finished, newest in ((RULES - 1, RULES - 1), (RULES, RULES), (RULES + 1, RULES)):
        known.rules = finished
        assert coordinator.newest_rules() == newest, "one of the release before may come back until it is finished"


@pytest.mark.parametrize(
    ("workers", "found"), [("grpcs://10.0.0.7:1", {"10.0.0.7:1"}), ("127.0.0.1:2", {"127.0.0.1:2"}), (None, set())]
)
async def test_the_gateway_of_a_home_of_one_process_is_reached_by_its_address(
    workers: str | None, found: set[str]
) -> None:
    async def call(verb: str, *_: object) -> Any:
        if verb == "members":
            raise CallerError("one process holds the home")
        return {"workers": workers}

    home = RemoteHome.__new__(RemoteHome)
    home._home = SimpleNamespace(call=call)  # type: ignore[assignment]
    assert await home.gateways() == found


@pytest.mark.parametrize(
    ("roles", "where", "told"),
    [
        (["api", "coordinator"], Where("127.0.0.1:1"), (("coordinator",), "api")),
        (["metrics", "fanout"], Where("127.0.0.1:1"), (("metrics",), "fanout")),
        (["metrics", "coordinator"], Where("127.0.0.1:1"), (("coordinator", "metrics"), "")),
        (["api"], Where(coordinators=("127.0.0.1:1",)), ((), "api")),
        (["api", "fanout"], Where(coordinators=("127.0.0.1:1",)), ((), "api")),
        (["api", "coordinator", "worker"], Where("127.0.0.1:1"), (("coordinator",), "api", True)),
        (["fanout", "executor"], Where(coordinators=("127.0.0.1:1",), url="http://h:1"), ((), "fanout", True)),
        (["coordinator", "worker"], Where("127.0.0.1:1"), "worker"),
        (["worker"], Where("127.0.0.1:1"), "worker"),
        (["api", "coordinator"], Where(), "coordinator"),
        (["api"], Where(), "api"),
        (["api", "coordinator"], Where("127.0.0.1:1", port=2, probes=2), "--probes"),
        (["api", "cordinator"], Where("127.0.0.1:1"), "cordinator"),
        ([], Where("127.0.0.1:1"), "roles"),
    ],
)
def test_roles_that_go_together_and_those_that_do_not(roles: list[str], where: Where, told: Any) -> None:
    if not isinstance(told, str):
        assert parted_roles(roles, where) == Parts(*told)
        return
    with pytest.raises(Invalid) as refused:
        parted_roles(roles, where)
    assert [(each.path, each.code) for each in refused.value.problems] == [(told, "bad_roles")]


def test_the_port_of_workers_is_the_api_s_where_a_member_stands_beside_it() -> None:
    with_port, where = Settings(port=1, grpc_port=7700), Where(peers="127.0.0.1:9101", probes=5)
    for front, settings, ports in (
        ("api", with_port, (5, 0)), ("fanout", with_port, (5, 7700)), ("", with_port, (1, 7700)),
        ("api", Settings(port=1), (5, None)),
    ):  # fmt: skip
        made = of_member_beside(front, settings, where)
        assert (made.port, made.grpc_port) == ports


def test_what_a_member_tells_prometheus_has_a_text_and_a_type_each() -> None:
    journal = SimpleNamespace(stats={"commits": 3, "events": 5})
    part: Any = SimpleNamespace(views=SimpleNamespace(core=SimpleNamespace(journal=journal)))
    holder: Any = SimpleNamespace(held={})
    coordinator: Any = SimpleNamespace(main=None, parts={1: part}, members=list)
    shared: Any = SimpleNamespace(logs=SimpleNamespace(dropped=0), fronts=[], gateway=None)
    told = list(text_string_to_metric_families(Figures(holder, coordinator, shared).text().decode()))
    assert not [each.name for each in told if not each.documentation or each.type == "unknown"]
    assert {"aob_journal_commits", "aob_journal_events", "aob_member_shards"} <= {each.name for each in told}
