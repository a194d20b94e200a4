"""What a relay tells which gateway, and whom of several it believes about an attempt, and about the rules of now."""

from typing import Any

from aob.core.value import canonical, decode
from aob.server.relay import Routing
from aob.server.relay.routing import GONE_S, SWEPT_S
from tests.workers.client import hello, pb


class Line:
    """The way to a gateway: what was sent to it."""

    def __init__(self) -> None:
        self.sent = list[pb.WorkerItem]()

    def put(self, item: pb.WorkerItem) -> None:
        self.sent.append(item)

    def said(self) -> list[str | None]:
        """The kinds of what was sent of attempts, said once."""
        kinds = [item.WhichOneof("item") for item in self.sent]
        self.sent = []
        return [kind for kind in kinds if kind != "want"]


class Gateways:
    """The lines of a relay's routing, and its clock."""

    def __init__(self, *held: pb.Held) -> None:
        self.now, self.sent = 0.0, list[pb.ServerItem]()
        self.routing = Routing(hello(held=list(held)).hello, self.sent.append, lambda: self.now)
        self.lines: dict[str, Any] = {}

    def attach(self, name: str) -> list[pb.Held]:
        """A gateway that answers; what it is told that the worker holds."""

        self.lines[name] = Line()
        held = list(self.routing.attached(name, self.lines[name]).held)
        self.says(name, welcome=pb.Welcome(lease_ms=30_000))
        return held

    def detach(self, name: str) -> None:
        self.routing.detached(name, self.lines[name])

    def says(self, name: str, **item: Any) -> None:
        self.routing.take_gateway(name, pb.ServerFrame(items=[pb.ServerItem(**item)]))

    def job(self, name: str, run: str) -> None:
        """One that the worker takes."""
        self.routing.take_worker(pb.WorkerFrame(items=[pb.WorkerItem(want=pb.Want(jobs=1))]))
        self.says(name, job=pb.Job(run=run, visit="v", attempt=1))


def test_when_a_gateway_goes_the_others_are_greeted_again_once() -> None:
    relay = Gateways()
    for name in "abc":
        assert relay.attach(name) == []
    relay.job("a", "r1")
    relay.job("b", "r2")
    assert relay.routing.unheard() == []
    relay.detach("a")
    assert relay.routing.unheard() == [], "it may only open its stream again"
    relay.now = GONE_S + 0.1
    assert relay.routing.unheard() == ["b", "c"]
    relay.detach("b")
    assert [each.run for each in relay.attach("b")] == ["r1", "r2"], "its own, and what nobody answers for"
    assert relay.routing.unheard() == ["c"], "that b was away for a moment makes nobody greet anybody"
    relay.says("b", keep=pb.Keep(run="r2", visit="v", attempt=1))
    relay.detach("c")
    assert [each.run for each in relay.attach("c")] == ["r1"]
    assert relay.routing.unheard() == []
    relay.says("c", keep=pb.Keep(run="r1", visit="v", attempt=1))
    relay.now *= 3
    assert relay.routing.unheard() == []


def test_what_a_gateway_was_told_of_and_has_not_answered_it_is_told_again_though_the_one_before_is_back() -> None:
    relay = Gateways()
    for name in "ab":
        relay.attach(name)
    relay.job("a", "r1")
    relay.detach("a")
    relay.detach("b")
    assert [each.run for each in relay.attach("b")] == ["r1"]  # it owns the shard by now, and keeps it
    assert [each.run for each in relay.attach("a")] == ["r1"]
    relay.detach("b")  # before its Keep has come
    assert [each.run for each in relay.attach("b")] == ["r1"], "else it would think that the worker never got it"
    relay.says("b", drop=pb.Drop(run="r1", visit="v", attempt=1))
    relay.detach("b")
    assert relay.attach("b") == [], "it has answered"


def test_a_gateway_that_has_not_an_attempt_takes_it_from_nobody() -> None:
    relay = Gateways()
    for name in "ab":
        relay.attach(name)
    relay.job("a", "r1")
    before, named = len(relay.sent), {"run": "r1", "visit": "v", "attempt": 1}
    relay.says("b", drop=pb.Drop(**named))  # type: ignore[arg-type]
    relay.says("b", ack=pb.Ack(**named))  # type: ignore[arg-type]
    relay.says("b", cancel=pb.Cancel(**named))  # type: ignore[arg-type]
    assert (len(relay.sent), relay.routing.unheard()) == (before, []), "the worker has it, and a answers for it"
    relay.says("a", cancel=pb.Cancel(**named))  # type: ignore[arg-type]
    assert relay.sent[before:] == [pb.ServerItem(cancel=pb.Cancel(**named))]  # type: ignore[arg-type]


def test_the_rules_of_a_gateway_that_is_away_count_as_long_as_the_worker_has_a_job_of_it() -> None:
    relay = Gateways()
    for name, hosts in (("a", ["h"]), ("b", None)):
        relay.attach(name)
        rules = canonical({"egress": {"private": [], "hosts": hosts}})
        relay.says(name, settings=pb.Settings(version=1, data=rules))
    relay.job("a", "r1")
    relay.detach("a")

    def told() -> list[Any]:
        said = (item.settings for item in relay.sent if item.WhichOneof("item") == "settings")
        return [decode(each.data)["egress"]["hosts"] for each in said]

    relay.now = SWEPT_S + 0.1
    relay.routing.tick()
    assert told() == [["h"]]
    relay.now = 60.0  # nobody has claimed it
    relay.routing.tick()
    assert told() == [["h"], None]


def test_what_a_living_gateway_gives_up_is_told_to_the_others_at_once() -> None:
    relay = Gateways()
    for name in "ab":
        relay.attach(name)
    relay.job("a", "r1")
    relay.says("a", drop=pb.Drop(run="r1", visit="v", attempt=1))
    assert relay.routing.unheard() == ["b"]
    relay.detach("b")
    assert [each.run for each in relay.attach("b")] == ["r1"]
    relay.says("b", keep=pb.Keep(run="r1", visit="v", attempt=1))
    assert relay.routing.unheard() == []
    assert not any(item.WhichOneof("item") == "drop" for item in relay.sent), "the worker noticed nothing of it"


def test_what_a_worker_has_of_a_living_gateway_is_never_given_up_however_long_it_takes() -> None:
    relay = Gateways()
    for name in "ab":
        relay.attach(name)
        relay.job(name, f"r{name}")
    relay.now = 1_000.0
    relay.routing.tick()
    relay.detach("a")
    assert not any(item.WhichOneof("item") in ("drop", "ack") for item in relay.sent)
    for after_s, gone in ((29.0, []), (31.0, ["ra"])):  # a lease time
        relay.now = 1_000.0 + after_s
        relay.routing.tick()
        assert [item.drop.run for item in relay.sent if item.WhichOneof("item") == "drop"] == gone


def test_a_gateway_that_comes_back_gets_what_it_may_not_have_got_and_of_what_is_over_the_result_alone() -> None:
    relay = Gateways()
    relay.attach("a")
    relay.job("a", "r1")
    named: dict[str, Any] = {"run": "r1", "visit": "v", "attempt": 1}
    says = relay.routing.take_worker
    says(pb.WorkerFrame(items=[pb.WorkerItem(graph=pb.Graph(**named, ask=number)) for number in (1, 2)]))
    relay.says("a", answer=pb.Answer(**named, ask=1))
    for result, again in ((None, ["log", "graph"]), (pb.WorkerItem(done=pb.Done(**named)), ["done"])):
        relay.detach("a")
        if result is None:
            says(pb.WorkerFrame(items=[pb.WorkerItem(log=pb.Log(**named, message="meanwhile"))]))
            says(pb.WorkerFrame(items=[pb.WorkerItem(beat=pb.Beat(**named))]))
        else:
            says(pb.WorkerFrame(items=[result]))
        relay.attach("a")
        relay.says("a", keep=pb.Keep(**named))
        assert relay.lines["a"].said() == again
    relay.says("a", ack=pb.Ack(**named))
    assert relay.sent[-1].WhichOneof("item") == "ack"
    assert relay.attach("a") == []
