"""`Workflow`: a whole document under construction."""

from collections.abc import Mapping
from typing import Self

import msgspec

from aob.core.document.shape import Duration, Tree, Value
from aob.core.graph.builder.kinds import Kinds
from aob.core.graph.compiled.ir import Mode, Priority
from aob.core.graph.normal_form import normalise


class Workflow(Kinds):
    """A workflow in Python.

    >>> wf = Workflow("order")
    >>> _ = wf.http("fetch", url="http://shop/orders") >> wf.function("ship")
    >>> wf.document()["edges"]
    {'fetch-ship': {'from': 'fetch', 'to': 'ship'}}
    """

    def __init__(
        self,
        name: str,
        *,
        inputs: Mapping[str, Value] | None = None,
        output: Mapping[str, str] | None = None,
        description: str | None = None,
        timeout: Duration | Mapping[str, Duration] | None = None,
        agents_max: int | None = None,
        priority: Priority | None = None,
        mode: Mode | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        limits = None if agents_max is None else {"agents": agents_max}
        fields = {
            "description": description, "inputs": inputs, "output": output, "timeout": timeout, "limits": limits,
            "priority": priority, "mode": mode, "labels": labels,
        }  # fmt: skip
        self._fields: Tree = {key: value for key, value in fields.items() if value is not None}

    def output(self, **texts: str) -> Self:
        """The output of a run: a CEL text for each name."""
        self._fields["output"] = {**self._fields.get("output", {}), **texts}
        return self

    def document(self) -> Tree:
        """The canonical document as an unchecked copy. Raises TypeError for values that JSON cannot hold."""
        whole = {"workflow": self.name, **self._fields, "nodes": self.nodes, "edges": self.edges}
        copy: Tree = msgspec.json.decode(msgspec.json.encode(whole))
        return normalise(copy)
