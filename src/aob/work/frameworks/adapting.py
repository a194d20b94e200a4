"""Which framework an object is of, and the function that handles records with it."""

from aob.work.frameworks.mapping import Foreign, Made, Mapped, refused


def adapted(given: Foreign, mapped: Mapped) -> Made:
    """The function of a graph of LangGraph, an agent of pydantic-ai or of the OpenAI Agents SDK. Raises Invalid
    `bad_agent` for what cannot be an agent, with the reason."""
    of = {cls.__module__.partition(".")[0] for cls in type(given).__mro__}
    if "langgraph" in of:
        from aob.work.frameworks.graph import graph_handler

        return graph_handler(given, mapped)
    if "pydantic_ai" in of:
        from aob.work.frameworks.pydantic import pydantic_handler

        return pydantic_handler(given, mapped)
    if type(given).__module__.startswith("agents.") and hasattr(given, "handoffs"):
        from aob.work.frameworks.openai_agents import openai_handler

        return openai_handler(given, mapped)
    hint = "an async function, the builder of a graph (StateGraph), a pydantic_ai.Agent, an agents.Agent"
    raise refused(f"{type(given).__name__} is no agent", hint)
