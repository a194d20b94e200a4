"""Two hundred steps of a graph that appends a text of 1 KB to a list, each made durable before the next: with our
saver, and beside it with LangGraph's own on SQLite, in the same process and on the same disk."""

import operator
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, Final, TypedDict

from bench.frame import Bench, Figure, measure

STEPS: Final = 200
PAYLOAD: Final = 1_024
ROUNDS: Final = 5
Opens = Callable[[Path], AbstractContextManager[Any]]


class State(TypedDict):
    """A list that grows, and how many steps are to come."""

    items: Annotated[list[str], operator.add]
    left: int


def appending() -> Any:
    """The graph."""
    from langgraph.graph import END, START, StateGraph

    def step(state: State) -> dict[str, Any]:
        return {"items": [os.urandom(PAYLOAD // 2).hex()], "left": state["left"] - 1}

    graph = StateGraph(State)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda state: "step" if state["left"] else END)
    return graph


def ours(keep: int) -> Opens:
    """Opens our saver on a file."""

    def opens(path: Path) -> AbstractContextManager[Any]:
        from aob.langgraph import AobSaver

        return AobSaver.open(f"sqlite:///{path}", keep=keep)

    return opens


def theirs(path: Path) -> AbstractContextManager[Any]:
    """Opens LangGraph's saver on a file; SQLite syncs each of its commits by itself (`synchronous` is `full`)."""
    from langgraph.checkpoint.sqlite import SqliteSaver

    return SqliteSaver.from_conn_string(str(path))


def run(bench: Bench, opens: Opens, steps: int) -> tuple[float, float]:
    """Milliseconds and bytes of a step. Raises when an item is lost."""
    path = bench.folder("saver") / "threads.db"
    config: Any = {"configurable": {"thread_id": "t"}, "recursion_limit": 10 * steps + 10}
    with opens(path) as saver:
        graph = appending().compile(checkpointer=saver)
        with bench.clock() as span:
            graph.invoke({"items": [], "left": steps}, config, durability="sync")
        if len(graph.get_state(config).values["items"]) != steps:
            raise RuntimeError("items of the state are lost")
    return span.wall_s * 1_000 / steps, path.stat().st_size / steps


@measure("saver")
def saver(bench: Bench) -> Iterator[Figure]:
    """LangGraph's checkpoints: <= 2 x payload + 1 KB a step, and faster than LangGraph's own SQLite saver."""
    steps = bench.times(STEPS)
    kinds: dict[str, Opens] = {"keep20": ours(20), "all": ours(0), "langgraph": theirs}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(bench.rounds(ROUNDS)):  # in turn: the disk is not the same from one moment to the next
        for name, opens in kinds.items():
            found[name].append(run(bench, opens, steps))
    best = {name: min(took for took, _ in each) for name, each in found.items()}
    for name in kinds:
        mine = name != "langgraph"
        yield Figure(f"saver.{name}.step_ms", best[name], "ms", best["langgraph"] if mine else None)
        yield Figure(f"saver.{name}.step_bytes", found[name][0][1], "bytes", 3 * PAYLOAD if mine else None)
