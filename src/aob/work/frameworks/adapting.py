"""Which framework an object is of, and the function that handles records with it."""

from aob.work.frameworks.mapping import Made, Mapped, refused


def adapted(given: object, mapped: Mapped) -> Made:
    """The function of a graph of LangGraph. Raises Invalid `bad_agent` for what cannot be an agent, with the reason."""
    of = {cls.__module__.partition(".")[0] for cls in type(given).__mro__}
    if "langgraph" in of:
        from aob.work.frameworks.graph import graph_handler

        return graph_handler(given, mapped)
    raise refused(f"{type(given).__name__} is no agent", "an async function, or the builder of a graph (StateGraph)")
