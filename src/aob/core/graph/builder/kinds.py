"""`Workflow`, a document under construction, with a method for each node kind: takes an id, the config as keywords and
the common fields; returns the added step. Omitted arguments stay out of the document, as in one written by hand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Self, TypeAlias, TypedDict, Unpack

import msgspec

from aob.core.document.shape import Duration, Tree, Value
from aob.core.graph.builder.step import Sketch, Step
from aob.core.graph.compiled.ir import CachePolicy, Effect, HandlersOf, Mode, OnFailure, OnUncertain, Priority
from aob.core.graph.normal_form import normalise

Handler: TypeAlias = str | Callable[..., Value]  # A handler by its name, or the function itself


class CommonFields(TypedDict, total=False):
    """The optional fields of every node next to its config; see the reference of documents."""

    input: Mapping[str, str | int | float | bool | None]
    retry: int | Mapping[str, Value]
    timeout: Duration | Mapping[str, Value]
    effect: Effect
    deterministic: bool
    cache: CachePolicy
    on_failure: OnFailure
    on_uncertain: OnUncertain
    verify: Handler
    priority: Priority
    labels: Mapping[str, str]
    worker: Mapping[str, str]
    description: str
    hold: bool
    disabled: bool


def handler_name(handler: Handler) -> str:
    """The name of a handler: from its mark, else that of the function."""
    if isinstance(handler, str):
        return handler
    marked = getattr(getattr(handler, "__aob_node__", None), "name", "")
    return str(marked or handler.__name__)


class Kinds(Sketch):
    """A body under construction with a method for each kind."""

    def add(
        self, id: str, kind: str, config: Mapping[str, Value] | None = None, **common: Unpack[CommonFields]
    ) -> Step:
        """A node of any kind. None in the config is omitted."""
        self.add_node(id, _node(kind, config or {}, common))
        return Step(self, id)

    def function(self, id: str, *, handler: Handler = "", **common: Unpack[CommonFields]) -> Step:
        """A handler of the application; by default the one named like the node."""
        return self.add(id, "function", {"handler": handler_name(handler or id)}, **common)

    def http(
        self,
        id: str,
        *,
        url: str,
        method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Value = None,
        expect: Sequence[int] | None = None,
        output: Literal["body", "response"] | None = None,
        **common: Unpack[CommonFields],
    ) -> Step:
        """One HTTP request."""
        config = {"url": url, "method": method, "headers": headers, "query": query, "body": body}
        return self.add(id, "http", {**config, "expect": expect, "output": output}, **common)

    def branch(self, id: str, *, mode: Literal["first", "all"] | None = None, **common: Unpack[CommonFields]) -> Step:
        """A choice: `step.when(CEL) >> next`, `step.otherwise() >> other`."""
        return self.add(id, "branch", {"mode": mode}, **common)

    def join(
        self,
        id: str,
        *,
        mode: Literal["all", "any", "n"] | None = None,
        n: int | None = None,
        deadline: Duration | None = None,
        cancel_rest: bool | None = None,
        **common: Unpack[CommonFields],
    ) -> Step:
        """Waits for the nodes before it: all, any, or n of them."""
        config = {"mode": mode, "n": n, "deadline": deadline, "cancel_rest": cancel_rest}
        return self.add(id, "join", config, **common)

    def timer(
        self, id: str, *, for_: Duration | None = None, until: str | None = None, **common: Unpack[CommonFields]
    ) -> Step:
        """Waits for time: `for_="10m"`, or `until` a CEL timestamp."""
        return self.add(id, "timer", {"for": for_, "until": until}, **common)

    def wait(
        self,
        id: str,
        *,
        message: str,
        key: str | None = None,
        payload: Mapping[str, Value] | None = None,
        **common: Unpack[CommonFields],
    ) -> Step:
        """Waits for a message by name and correlation key (CEL)."""
        return self.add(id, "wait", {"message": message, "key": key, "payload": payload}, **common)

    def approval(
        self,
        id: str,
        *,
        role: str | None = None,
        text: str | None = None,
        form: Mapping[str, Value] | None = None,
        notify: Sequence[str] | None = None,
        escalate: Sequence[Mapping[str, Value]] | None = None,
        **common: Unpack[CommonFields],
    ) -> Step:
        """A person decides: `step.on("approved") >> next`."""
        config = {"role": role, "text": text, "form": form, "notify": notify, "escalate": escalate}
        return self.add(id, "approval", config, **common)

    def agent(
        self,
        id: str,
        *,
        task: str,
        model: str | None = None,
        system: str | None = None,
        output: Mapping[str, Value] | None = None,
        tools: Sequence[Handler] | None = None,
        patch: bool | None = None,
        limits: Mapping[str, Value] | None = None,
        **common: Unpack[CommonFields],
    ) -> Step:
        """Model calls with tools. `limits` holds `calls_max tokens_max cost_max temperature cache`."""
        names = None if tools is None else [handler_name(tool) for tool in tools]
        config = {"task": task, "model": model, "system": system, "output": output, "tools": names, "patch": patch}
        return self.add(id, "agent", {**config, **(limits or {})}, **common)

    def notify(
        self, id: str, *, to: str, text: str, subject: str | None = None, **common: Unpack[CommonFields]
    ) -> Step:
        """Notifies people: `to="mailto:{email}"`, `slack:NAME`, `webhook:NAME`."""
        return self.add(id, "notify", {"to": to, "text": text, "subject": subject}, **common)

    def object(
        self,
        id: str,
        *,
        op: Literal["put", "get", "head", "delete"],
        key: str,
        store: str | None = None,
        content_type: str | None = None,
        value: Value = None,
        **common: Unpack[CommonFields],
    ) -> Step:
        """Puts a value into an object store, or gets, checks or deletes one."""
        config = {"op": op, "key": key, "store": store, "content_type": content_type, "value": value}
        return self.add(id, "object", config, **common)

    def emit(
        self,
        id: str,
        *,
        topic: str,
        type: str,
        subject: str | None = None,
        data: Value = None,
        **common: Unpack[CommonFields],
    ) -> Step:
        """Publishes a business event on a topic."""
        return self.add(id, "emit", {"topic": topic, "type": type, "subject": subject, "data": data}, **common)

    def metric(
        self,
        id: str,
        *,
        metric: str,
        window: str | None = None,
        by: Sequence[str] | None = None,
        where: Mapping[str, str] | None = None,
        **common: Unpack[CommonFields],
    ) -> Step:
        """Reads a live metric when the node runs."""
        dimensions = None if by is None else list(by)
        config = {"metric": metric, "window": window, "by": dimensions, "where": where}
        return self.add(id, "metric", config, **common)

    def map(
        self,
        id: str,
        *,
        items: str,
        window: int | None = None,
        failures: int | None = None,
        **common: Unpack[CommonFields],
    ) -> "Bodied":
        """Runs its body for each item: `with wf.map("each", items=CEL) as body: body.function(…)`."""
        step = Bodied(self, id)
        self.add_node(id, _node("map", {"items": items, "window": window, "failures": failures}, common, step))
        return step

    def loop(
        self,
        id: str,
        *,
        max: int,
        while_: str | None = None,
        collect: bool | None = None,
        **common: Unpack[CommonFields],
    ) -> "Bodied":
        """Repeats its body, at most `max` times, while a CEL condition holds."""
        step = Bodied(self, id)
        self.add_node(id, _node("loop", {"max": max, "while": while_, "collect": collect}, common, step))
        return step


class Bodied(Step, Kinds):
    """A node with a body: a step for its edges, and a sketch for its content. In the body of a map `item` is the item;
    in that of a loop `loop.index` counts the passes, and `loop.previous` is the output of the previous one."""

    def __init__(self, sketch: Sketch, id: str) -> None:
        Kinds.__init__(self)
        Step.__init__(self, sketch, id)

    def __enter__(self) -> Self:
        return self

    def gives(self, **texts: str) -> Self:
        """The output of a pass of the body: a CEL text for each name. Default: the outputs of its leaves."""
        body = self.sketch.nodes[self.id]["body"]
        body["output"] = {**body.get("output", {}), **texts}
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _node(kind: str, config: Mapping[str, Value], common: CommonFields, body: Sketch | None = None) -> Tree:
    kept = {key: value for key, value in config.items() if value is not None}
    node: Tree = {"kind": kind}
    if kept:
        node["config"] = kept
    node.update(common)
    verify = common.get("verify")
    if verify is not None:
        node["verify"] = handler_name(verify)
    if body is not None:
        node["body"] = {"nodes": body.nodes, "edges": body.edges}
    return node


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
        handlers: HandlersOf | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        limits = None if agents_max is None else {"agents": agents_max}
        fields = {
            "description": description, "inputs": inputs, "output": output, "timeout": timeout, "limits": limits,
            "priority": priority, "mode": mode, "labels": labels, "handlers": handlers,
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
