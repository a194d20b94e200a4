"""Configs of the kinds whose work is a job: what is sent, asked and kept, and what the node gives."""

from typing import Any

import msgspec

import aob
from aob.backends.memory.log import MemoryLog
from aob.core.errors import AobError
from aob.core.event import partition_of
from aob.core.value import decode
from aob.work import WorkError, scan
from aob.work.egress import CheckedClient, EgressRules
from aob.work.kinds import emit, http, metric, notify, object
from aob.work.outcome import fault_of
from aob.work.tools import ObjectStores, StoreSettings
from tests.runs.home import finished, flow
from tests.sweep.frame import LEFT_OUT, World, handlers, shows
from tests.work.agent_run import RISK, AgentRun, Queue, says
from tests.work.jobs import Asked, job_of, node_of, tools_of
from tests.work.peers import Peer

INPUT = {"id": 7, "who": "ann", "all": [1, 2]}


async def done(perform: Any, config: dict[str, Any], tools: Any, **more: Any) -> Any:
    """What a job gives, or the code with which it fails."""
    kind = perform.__module__.rpartition(".")[2]
    job = job_of(node_of(kind, config, **more), INPUT)
    try:
        return await perform(job, Asked(job), tools)
    except (WorkError, AobError) as error:
        return fault_of(error).code


@shows("function", "handler", "echo", "sized")
async def handler(given: dict[str, Any], world: World) -> Any:
    app = await world.home()
    await app.push(flow("w", {"a": {"kind": "function", "config": given}}))
    return (await finished(app, (await app.start("w", 3)).id))["output"]


# -- http


def asked(peer: Peer) -> Any:
    named = ("x-a", "idempotency-key", "x-once")
    return [(one.method, one.target, one.body, [one.headers.get(name) for name in named]) for one in peer.requests]


@shows("http", "url", "{base}/json", "{base}/other")
@shows("http", "method", "GET", "DELETE")
@shows("http", "headers", {"x-a": "{id}"}, {"x-a": "{who}"})
@shows("http", "query", {"q": "{id}"}, {"p": "{id}"})
@shows("http", "body", {"n": "{id}"}, {"m": "{id}"})
@shows("http", "expect", [], [201])
@shows("http", "output", "body", "response")
@shows("http", "key_header", "Idempotency-Key", "X-Once")
@shows("http", "max_bytes", 1_000, 2)
@shows("http", "redirects", 0, 1)
async def an_http(given: dict[str, Any], world: World) -> Any:
    peer = await world.peer()
    peer.answer("/json", b'{"id": 7}', content_type="application/json", date="x")
    peer.redirect("/moved", "/json")
    client = await world.enter(CheckedClient(EgressRules((f"127.0.0.1:{peer.port}",))))
    posts = given.keys() & {"body", "key_header"}
    config = {"url": "/moved" if "redirects" in given else "/json", "method": "POST" if posts else "GET", **given}
    config["url"] = peer.url + config["url"].removeprefix("{base}")
    found = await done(http.perform, config, tools_of(http=client), effect="keyed" if posts else "none")
    return str(found).replace(str(peer.port), "PORT"), asked(peer)


# -- notify


@shows("notify", "to", "webhook:ops", "webhook:desk")
@shows("notify", "text", "hello {who}", "bye {who}")
@shows("notify", "subject", "about {id}", "of {id}")
async def told(given: dict[str, Any], world: World) -> Any:
    peer = await world.peer()
    peer.answer("/ops")
    peer.answer("/desk")
    client = await world.enter(CheckedClient(EgressRules((f"127.0.0.1:{peer.port}",))))
    targets = {"ops": f"{peer.url}/ops", "desk": f"{peer.url}/desk"}
    config = {"to": "webhook:ops", "text": "hello", **given}
    return await done(notify.perform, config, tools_of(http=client, targets=targets)), asked(peer)


# -- object, emit, metric


@shows("object", "op", "put", "delete")
@shows("object", "key", "{id}.json", "{who}.json")
@shows("object", "store", "home", "shared")
@shows("object", "content_type", "application/json", "text/plain")
@shows("object", "value", LEFT_OUT, "{who}")
async def kept(given: dict[str, Any], world: World) -> Any:
    stores = {
        "home": StoreSettings(f"file://{world.folder}/objects"),
        "shared": StoreSettings(f"file://{world.folder}/shared"),
    }
    value = {"value": "text"} if "content_type" in given else {}
    config = {"op": "put", "key": "a.json", **value, **given}
    found = await done(object.perform, config, tools_of(stores=ObjectStores(stores)))
    files = sorted(path for path in world.folder.rglob("*") if path.is_file())
    told_of = {name: found[name] for name in ("key", "size", "deleted") if name in found}
    return told_of, [(path.relative_to(world.folder).as_posix(), path.read_bytes()) for path in files]


@shows("emit", "topic", "orders", "bills")
@shows("emit", "type", "order.{id}", "bill.{id}")
@shows("emit", "subject", LEFT_OUT, "order-{id}")
@shows("emit", "data", LEFT_OUT, {"n": "{id}"})
async def emitted(given: dict[str, Any], world: World) -> Any:
    log = MemoryLog(lambda: 1_700_000_000_000)
    await done(emit.perform, {"topic": "orders", "type": "seen", **given}, tools_of(log=log))
    return [
        (topic, subject, one.record.type, one.record.subject, decode(one.record.data))
        for topic in ("orders", "bills")
        for subject in ("order-7", "run_1")
        for one in await log.read("acme", topic, partition_of(subject, 64), 0)
    ]


class Numbers:
    """A reader that answers with the question."""

    async def read_metric(self, tenant: str, query: Any) -> dict[str, Any]:
        return {"asked": repr(query)}


@shows("metric", "metric", "{who}_rate", "orders")
@shows("metric", "window", LEFT_OUT, "15m")
@shows("metric", "by", [], ["region"])
@shows("metric", "where", {}, {"shop": "{id}"})
async def read(given: dict[str, Any], world: World) -> Any:
    return await done(metric.perform, {"metric": "orders", **given}, tools_of(metrics=Numbers()))


# -- agent


@aob.node(effect="none")
async def lookup(id: int) -> dict[str, int]:
    """Looks an order up."""
    return {"id": id, "total": 120}


PATCH = {"reason": "one more look", "operations": [{"op": "remove", "path": "/nodes/x"}]}


async def agent(answers: list[Any], **config: Any) -> Any:
    """What the model was asked, what was proposed, and what the node gives, twice with one cache."""
    found = []
    queue = Queue(*answers, *answers)
    run = AgentRun(queue, **{name: value for name, value in config.items() if name != "model"})
    run.config = msgspec.structs.replace(run.config, model=config.get("model", ""))
    run.handlers = scan(handlers(lookup=lookup))
    run.verdicts += [{"patch_id": "patch_1", "state": "applied"}] * 2
    for _ in range(2):
        run.journal.entries.clear()
        try:
            found.append((await run.perform()).output)
        except WorkError as error:
            found.append(fault_of(error).code)
    return found, len(run.journal.proposals), [repr(request) for request in queue.requests]


@shows("agent", "task", "Look at {id}", "Look away from {id}")
@shows("agent", "system", LEFT_OUT, "You know {id}")
@shows("agent", "model", LEFT_OUT, "script:other")
@shows("agent", "temperature", LEFT_OUT, 0.5)
@shows("agent", "output", LEFT_OUT, RISK)
@shows("agent", "cache", True, False)
async def asks(given: dict[str, Any], world: World) -> Any:
    return await agent([says({"risk": 1}, text='{"risk": 1}')], **given)


@shows("agent", "tools", [], ["lookup"])
@shows("agent", "calls_max", 1, 2)
@shows("agent", "tokens_max", 10, 1_000)
@shows("agent", "cost_max", 0.0001, 1)
async def uses(given: dict[str, Any], world: World) -> Any:
    config = {"tools": ["lookup"], **given}
    return await agent([says({}, ("lookup", {"id": 7})), says(text="done")], **config)


@shows("agent", "patch", False, True)
async def patches(given: dict[str, Any], world: World) -> Any:
    return await agent([says({"answer": {"risk": 1}, "patch": PATCH})] * 5, output=RISK, **given)
