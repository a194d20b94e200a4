"""Work grows with what happens and not with what stands: four times as much of anything costs four times as much.

Bytecodes are counted, at n and at 4n, and never times.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from msgspec import Raw

from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from aob.core.value import NULL, canonical, digest_of
from tests.core.run_desk import approval, each, edge, edges, flow, function, join, kind, loop
from tests.core.run_work import NOTHING, Bare, bytecodes

OFF = {"disabled": True}
WHAT = Raw(b"{}")
AT_ONCE = 10_000
MORE = 4.2
"""How much more four times as much may cost: with a scan of all that stands it comes to five and more."""

Drama = tuple[Bare, Callable[[Bare], Any]]


def begun(run: Bare, act: Callable[[Bare], Any]) -> Drama:
    """What comes before it is not counted."""
    run.begin()
    run.go_on()
    return run, act


def whole(document: dict[str, Any], inputs: Any = None) -> Drama:
    def act(run: Bare) -> None:
        run.begin()
        run.complete_all()
        run.answer_all("approve")

    return Bare(document, inputs), act


def mapped(n: int, nodes: dict[str, Any], inner: dict[str, Any] | None = None, **config: Any) -> Bare:
    body = each("inputs.items", nodes, inner, window=AT_ONCE, **config)
    return Bare(flow({"m": body}), {"items": list(range(n))})


def passes(n: int) -> Drama:
    return whole(flow({"l": loop(n, {"a": function(**OFF)}, **{"while": "loop.index < 1000000"})}))


def collected_passes(n: int) -> Drama:
    return whole(flow({"l": loop(n, {"a": function(**OFF)}, collect=True)}))


def passes_of_jobs(n: int) -> Drama:
    return whole(flow({"l": loop(n, {"a": function()}, collect=True)}))


def passes_within_a_pass(n: int) -> Drama:
    return whole(flow({"l": loop(3, {"k": loop(n, {"a": function(**OFF)})})}))


def items(n: int) -> Drama:
    return whole(flow({"m": each("inputs.items", {"a": function(**OFF)})}), {"items": list(range(n))})


def items_with_passes(n: int) -> Drama:
    document = flow({"m": each("inputs.items", {"k": loop(4, {"a": function(**OFF)})})})
    return whole(document, {"items": list(range(n))})


def items_with_deadlines(n: int) -> Drama:
    return begun(mapped(n, {"a": function(timeout={"deadline": "1m"})}), Bare.complete_all)


def items_that_fail_beside_others(n: int) -> Drama:
    def act(run: Bare) -> None:
        error = Raw(canonical({"code": "broke", "message": "it broke"}))
        for index in range(n):
            run.do(cmd.Fail(f"m[{index}]/a", 1, error, False))

    return begun(mapped(n, {"a": function(), "b": function()}, failures=n), act)


def items_that_are_cancelled(n: int) -> Drama:
    cancel = cmd.Cancel("ann", "enough")
    return begun(mapped(n, {"a": function(timeout={"deadline": "1m"})}), lambda run: run.do(cancel))


def items_with_races(n: int) -> Drama:
    nodes = {"a": function(), "b": function(), "j": join(mode="any", cancel_rest=True, deadline="1m")}
    return begun(mapped(n, nodes, edges("a j", "b j")), Bare.complete_all)


def items_that_ask(n: int) -> Drama:
    return begun(mapped(n, {"a": approval(timeout={"deadline": "1h"})}), lambda run: run.answer_all("approve"))


def items_that_wait_for_messages(n: int) -> Drama:
    def act(run: Bare) -> None:
        for index in reversed(range(n)):
            run.do(cmd.Message(f"m{index}", "paid", str(index), NULL, NOTHING))

    return begun(mapped(n, {"a": kind("wait", message="paid", key="string(item)")}), act)


def items_under_a_patch(n: int) -> Drama:
    operations = [
        {"op": "add", "path": "/nodes/m/body/nodes/c", "value": function()},
        {"op": "add", "path": "/nodes/m/body/edges/ec", "value": edge("b", "c")},
    ]
    patch = cmd.Propose("p", "ann", "person", "", "", Raw(canonical(operations)), digest_of(canonical(operations)))
    return begun(mapped(n, {"a": function(), "b": function()}, edges("a b")), lambda run: run.do(patch))


def patches_decided_by_their_id(n: int) -> Drama:
    operations = [{"op": "add", "path": "/nodes/b", "value": {**function(), "effect": "once"}}]

    def act(run: Bare) -> None:
        for index in range(n):
            run.do(
                cmd.Propose(
                    f"p{index}", "agent", "agent", "", "", Raw(canonical(operations)), digest_of(canonical(operations))
                )
            )
        for index in reversed(range(n)):
            run.do(cmd.ClosePatch(f"p{index}", "reject", run.ann))

    return begun(Bare(flow({"a": function()})), act)


def intents_of_a_visit(n: int) -> Drama:
    """Of many kinds and of one, some of which fail and are begun again."""

    def act(run: Bare) -> None:
        for index in range(n):
            for digest in (b"same", b"other%d" % index):
                count = index + 1 if digest == b"same" else 1
                run.do(cmd.Intend("a", 1, count, "tool", digest, WHAT))
                number = 2 * index + 1 + (digest != b"same")
                run.do(cmd.Settle("a", 1, number, NULL, index % 3 == 0))
                if index % 3 == 0:
                    run.do(cmd.Intend("a", 1, count, "tool", digest, WHAT))
                    run.do(cmd.Settle("a", 1, number, NULL, False))

    return begun(Bare(flow({"a": function()})), act)


def intents_that_are_cut_off(n: int) -> Drama:
    """All open when the worker is lost; a handler looks, and they are begun anew."""

    def act(run: Bare) -> None:
        for index in range(n):
            run.do(cmd.Intend("a", 1, index + 1, "tool", b"same", WHAT))
        run.do(cmd.Lost("a", 1, "cut"))
        for index in range(n):
            run.do(cmd.Intend("a", 2, index + 1, "tool", b"same", WHAT))

    return begun(Bare(flow({"a": function(effect="once", on_uncertain="verify", verify="look")})), act)


def intents_that_a_person_lets_repeat(n: int) -> Drama:
    def act(run: Bare) -> None:
        for index in range(n):
            run.do(cmd.Intend("a", 1, index + 1, "tool", b"same", WHAT))
        run.do(cmd.Lost("a", 1, "cut"))
        run.answer_all("repeat")
        for index in range(n):
            run.do(cmd.Intend("a", 2, index + 1, "tool", b"same", WHAT))

    return begun(Bare(flow({"a": function(effect="once")})), act)


def proposals_of_a_visit(n: int) -> Drama:
    """Patches of a graph that stays as large as it was: each is a version of the graph."""

    def act(run: Bare) -> None:
        for index in range(n):
            data = canonical([{"op": "add", "path": "/nodes/b/labels", "value": {"n": str(index)}}])
            run.do(cmd.Propose(f"p{index}", "a", "agent", "", "", Raw(data), digest_of(data), "a"))

    return begun(Bare(flow({"a": function(), "b": function()}, edges("a b"))), act)


def refused_proposals_of_a_visit(n: int) -> Drama:
    data = canonical([{"op": "remove", "path": "/nodes/gone"}])

    def act(run: Bare) -> None:
        for index in range(n):
            run.do(cmd.Propose(f"p{index}", "a", "agent", "", "", Raw(data), digest_of(data), "a"))

    return begun(Bare(flow({"a": function()})), act)


def attempts_of_a_visit(n: int) -> Drama:
    error = Raw(canonical({"code": "broke", "message": "it broke"}))

    def act(run: Bare) -> None:
        for index in range(n):
            run.do(cmd.Fail("a", index + 1, error, True))
            for timer in list(run.run.timers.values()):
                run.now = timer.due_ms
                run.do(cmd.Fire(timer.id))

    return begun(Bare(flow({"a": function(retry={"attempts": n + 1, "first": "1ms", "jitter": 0})})), act)


def checkpoints_of_a_visit(n: int) -> Drama:
    def act(run: Bare) -> None:
        for _ in range(n):
            run.do(cmd.Save("a", 1, NULL))

    return begun(Bare(flow({"a": function()})), act)


def messages_that_nobody_waits_for(n: int) -> Drama:
    def act(run: Bare) -> None:
        for index in range(n):
            run.do(cmd.Message(f"m{index}", "paid", str(index), NULL, NOTHING))

    return begun(Bare(flow({"a": function()})), act)


def sources_of_a_join(n: int) -> Drama:
    nodes = {f"n{index}": function() for index in range(n)}
    return whole(flow({**nodes, "j": join()}, edges(*(f"{node} j" for node in nodes))))


def rivals_of_a_race(n: int) -> Drama:
    """One node fans out to many, all of which can only lead to the join."""
    nodes = {f"n{index}": function() for index in range(n)}
    fan = edges(*(f"a {node}" for node in nodes), *(f"{node} j" for node in nodes))
    return whole(flow({"a": function(), **nodes, "j": join(mode="any", cancel_rest=True)}, fan))


def nodes_of_a_chain(n: int) -> Drama:
    names = [f"n{index}" for index in range(n)]
    nodes = {name: function(**OFF) for name in names}
    return whole(flow(nodes, edges(*map(" ".join, pairwise(names)))))


def nodes_of_a_fork(n: int) -> Drama:
    names = [f"n{index:05}" for index in range(n)]
    chain = edges(*map(" ".join, pairwise(names)))
    copied = tuple(ev.NodeCompleted(name, 1, "success", NULL, NOTHING) for name in reversed(names[:-1]))
    return Bare(flow({name: function() for name in names}, chain)), lambda run: run.begin(fork="run_0", copied=copied)


DRAMAS: list[tuple[Callable[[int], Drama], int]] = [
    (passes, 40), (collected_passes, 40), (passes_of_jobs, 25), (passes_within_a_pass, 20), (items, 40),
    (items_with_passes, 15), (items_with_deadlines, 25), (items_that_fail_beside_others, 25),
    (items_that_are_cancelled, 40), (items_with_races, 20), (items_that_ask, 20), (items_that_wait_for_messages, 25),
    (items_under_a_patch, 40), (patches_decided_by_their_id, 6), (sources_of_a_join, 40), (rivals_of_a_race, 30),
    (nodes_of_a_chain, 40), (nodes_of_a_fork, 40), (intents_of_a_visit, 25), (intents_that_are_cut_off, 40),
    (intents_that_a_person_lets_repeat, 40), (refused_proposals_of_a_visit, 25), (attempts_of_a_visit, 25),
    (checkpoints_of_a_visit, 40), (messages_that_nobody_waits_for, 40), (proposals_of_a_visit, 10),
]  # fmt: skip


@pytest.mark.parametrize(("drama", "n"), DRAMAS, ids=[drama.__name__ for drama, _ in DRAMAS])
def test_four_times_as_much_costs_four_times_as_much(drama: Callable[[int], Drama], n: int) -> None:
    costs = []
    for size in (n, 4 * n):
        run, act = drama(size)
        costs.append(bytecodes(lambda run=run, act=act: act(run)))  # type: ignore[misc]
    few, many = costs
    assert many < MORE * few, f"{n}: {few:,} bytecodes, {4 * n}: {many:,}"
