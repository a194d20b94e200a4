"""An agent that is a graph of LangGraph: it asks a person about a question of which no word is known, and goes on with
the answer, also when the process was killed in between."""

from typing import Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from triage.corpus import DESKS


class Asked(TypedDict):
    """A question that nobody could sort; with a desk once somebody has."""

    question: str
    text: str
    desk: str
    sure: float
    brain: str


def ask(state: Asked) -> dict[str, Any]:
    """A person says which desk it is: a ticket, and no process waits for its answer."""
    told = interrupt({"question": f"Which desk answers “{state['text']}”?", "choices": list(DESKS)})
    return {"desk": told["choice"], "sure": 1.0, "brain": f"a person: {told['by']}"}


def graph() -> StateGraph[Asked]:
    """The builder of the graph: the platform compiles it with its own checkpoints."""
    built = StateGraph(Asked)
    built.add_node("ask", ask)
    built.add_edge(START, "ask")
    return built
