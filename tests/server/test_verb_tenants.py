"""What is another tenant's is not there: each verb that names something answers about another's as about what nobody
has, for every role, and a lacking role is told of before anything is looked for."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
from msgspec import Raw

import aob
from aob.core.decision import SOURCE, TOPIC
from aob.core.errors import NotFound
from aob.core.event import Positions
from aob.core.node import ROLES
from aob.core.policy import LOCAL
from aob.core.rights import ANY, KEPT_BY_ID, owned
from aob.core.value import canonical, digest_of
from aob.core.verb import AnyVerb, Http
from aob.core.verbs import TABLE
from aob.core.verbs.organisation import record_verbs
from aob.ports.log import Record
from aob.server import create_app, serving
from tests.runs.home import flow, ticket_of

SECRET: Final = "only-hers"
CONTRACTS: Final = """
event: hers.made
version: 1
owner: hers
fields: {id: {type: string}, n: {type: number, maximum: 9}}
entities: [{entity: hers_thing, key: data.id, set: {n: data.n}}]
---
metric: hers_sum
version: 1
type: sum
moves: [{on: hers.made, value: data.n}]
windows: [all]
---
alert: hers_alert
metric: hers_sum
window: all
when: value > 100.0
"""
ABSENT: Final = {
    "run_id": "run_0123456789abcdef0123", "ticket_id": "ticket_0123456789abcdef0123", "number": "77777",
    "patch_id": "patch_0123456789abcdef0123", "key_id": "key_0123456789abcdef0123", "workflow": "nobodys",
    "hash": "sha256:" + "0" * 64, "webhook": "hook_0123456789abcdef0123", "type": "nobodys.made",
    "entity": "nobodys_thing", "metric": "nobodys_sum", "alert": "nobodys_alert", "id": "zz",
    "topic": "nobodys.own.topic", "agent": "nobodys.own.agent", "namespace": "nobodys.own", "group": "nobodys-group",
    "subject": "nobodys-value", "decision": "decision_5-0123456789abcdef0123",
    "task_id": "nobodys-task", "plan_id": "nobodys-plan",
}  # fmt: skip
BEGIN: Final = Positions(Positions.TOPICS, partitions=64).vector([(0, 0)] * 64)
BODIES: Final[Mapping[str, Any]] = {
    "cancel_task": {}, "cancel_plan": {},
    "message": {"name": "m"}, "replay": {"from": "a"}, "fork": {"from": "a"},
    "propose": {"operations": [{"op": "disable", "id": "a"}], "reason": "r"},
    "approve_patch": {}, "reject_patch": {}, "rollback": {}, "answer": {"choice": "approve"},
    "patch_tag": {"operations": [{"op": "disable", "id": "a"}]}, "cancel": {}, "release": {}, "redeliver": {},
    "update_webhook": {"paused": True}, "silence_alert": {"until": 1}, "replay_deadletters": {},
    "default_version": {"version": 1}, "repin": {"build": "b"}, "update_topic": {},
    "produce": {"records": [{"type": "t"}]}, "reset_group": {"topic": "hers.own.topic", "to": "begin"},
    "commit_group": {"topic": "hers.own.topic", "begun": BEGIN, "position": BEGIN},
    "deploy_agent": {"percent": 50}, "rollback_agent": {}, "scale_agent": {"instances": 2}, "pause_agent": {},
    "retire_agent": {}, "fork_decision": {}, "reset_agent": {"to": "begin"},
    "steer_key": {"key": "k", "act": "hold"},
}  # fmt: skip
"""Bodies that are right, so that only whose it is can be wrong."""
MAKES: Final = {
    "put_alert", "push", "put_job_blob", "register_agent", "set_namespace", "push_schema", "check_schema",
}  # fmt: skip
"""Verbs that make what they name where it is not there, or say whether they would."""
LISTED: Final = {"agent_keys"}
"""Lists of what a name has: empty for a name of another, as for one of nobody (test_agent_keys.py)."""
OF_THE_HOME: Final = {"pause_handler", "resume_handler"}
"""Verbs that name what all tenants share: handlers. A pause is of the tenant: tests/workers/test_paused.py."""


def named(verb: AnyVerb, http: Http, given: Mapping[str, str]) -> str:
    """The request for what a verb names."""
    names = {
        "name": given["workflow"], "kind": "metric", "cursor": f"0.{given['hash'].removeprefix('sha256:')}",
        "contract": given["type" if "/event/" in http.path else "metric"], "webhook_id": given["webhook"],
        "delivery_id": "1", "slo": given["alert"], "type": given["entity"],
    }  # fmt: skip
    compared = "?a=1&b=1" if verb.name.startswith("diff") else "?key=k" if verb.name == "agent_key" else ""
    return http.path.format_map({**given, **names}) + compared


@aob.task("hers")
async def hers_task(given: Any) -> Any:
    return given


@aob.planner("hers")
async def hers_plan(context: Any) -> Any:
    return []


@pytest.fixture
async def hers(tmp_path: Path) -> AsyncIterator[tuple[str, dict[str, str], dict[str, str]]]:
    """A server; what is Ann's on it; and a key of another tenant for each role."""
    async with aob.open(tmp_path, app=[hers_task, hers_plan]) as app:
        nodes = {"ok": {"kind": "approval", "config": {}}, "a": {"kind": "timer", "config": {"for": "1h"}}}
        await app.views.push(LOCAL, flow("hers", nodes, "ok>a:approved"))
        inputs = {"secret": SECRET * 1_000}
        run = (await app.views.start(LOCAL, "hers", inputs))["run_id"]
        ticket = (await ticket_of(app, run))["ticket_id"]
        patch = (await app.views.propose(LOCAL, run, {"operations": [{"op": "disable", "id": "a"}]}))["patch_id"]
        key = (await app.views.create_key(LOCAL, "ann", ["view"]))["id"]
        assert app.metrics is not None
        await app.metrics.push_contracts(LOCAL, {"c.yaml": CONTRACTS})
        await app.metrics.create_topic(LOCAL, "hers.own.topic", purpose=SECRET)
        await app.metrics.register_agent(LOCAL, "hers.own.agent", description=SECRET)
        await app.metrics.push_schema(LOCAL, "hers-value", f'{{"title": "{SECRET}"}}')
        await app.metrics.produce(LOCAL, "hers.own.topic", (record_verbs.ProducedRecord("t", SECRET),))
        page = await app.metrics.consume(LOCAL, "hers.own.topic", group="hers-group")
        await app.metrics.commit_group(LOCAL, "hers-group", "hers.own.topic", page["begun"], page["position"])
        told = {"visit": "a", "attempt": 1, "number": 1, "call": 1, "model": "m", "request": "r", "failed": False,
                "brain": None, "cached": False, "says": SECRET,
                **dict.fromkeys(("tokens_in", "tokens_out", "cost_usd"), 0)}  # fmt: skip
        decided = Record("decision_5-fedcba9876543210fedc", SOURCE, "t", LOCAL.tenant, data=Raw(canonical(told)))
        await app.shared.topics.append(LOCAL.tenant, TOPIC, 5, [decided], keyed=True)
        assert SECRET in (await app.metrics.decision(LOCAL, decided.id))["says"]
        await app.submit({"task_id": "hers-task", "task_type": "hers", "parameters": {"secret": SECRET}})
        await app.submit({"plan_id": "hers-plan", "plan_type": "hers", "context": {"secret": SECRET}})
        lines = [{"type": "hers.made", "source": "s", "id": str(n), "data": {"id": "a", "n": n}} for n in (1, 99)]
        async with serving(create_app(app.views, app.metrics)) as url:
            admin = (await app.views.create_key(LOCAL, "root", ["admin"]))["secret"]
            async with httpx.AsyncClient(base_url=url, headers={"x-api-key": admin}) as http:
                assert (await http.post("/v1/events", json=lines)).status_code == 200
                hook = (await http.post("/v1/webhooks", json={"url": "https://example.org/x", "runs": ["*"]})).json()
                number = (await http.get("/v1/deadletter")).json()["deadletters"][0]["number"]
            keys = {
                role: (await app.views.create_key(LOCAL, f"bob-{role}", [role], "other"))["secret"] for role in ROLES
            }
            yield url, keys, {
                **ABSENT, "run_id": run, "ticket_id": ticket, "patch_id": patch, "key_id": key, "workflow": "hers",
                "number": str(number), "webhook": hook["id"], "type": "hers.made", "entity": "hers_thing",
                "metric": "hers_sum", "alert": "hers_alert", "id": "a", "topic": "hers.own.topic",
                "agent": "hers.own.agent", "namespace": "hers.own", "subject": "hers-value", "group": "hers-group",
                "task_id": "hers-task", "plan_id": "hers-plan",
                "decision": decided.id, "hash": f"sha256:{digest_of(canonical(inputs)).hex()}",
            }  # fmt: skip


async def test_what_is_anothers_is_as_what_nobody_has(hers: tuple[str, dict[str, str], dict[str, str]]) -> None:
    url, keys, those = hers
    wrong = []
    for role, secret in keys.items():
        async with httpx.AsyncClient(base_url=url, headers={"x-api-key": secret}) as http:
            for verb in TABLE:
                for way in (
                    way for way in verb.http if "{" in way.path and verb.name not in MAKES | OF_THE_HOME | LISTED
                ):
                    told = []
                    for given in (those, ABSENT):
                        body = BODIES.get(verb.name) if way.takes or verb.name in BODIES else None
                        answer = await http.request(way.method, named(verb, way, given), json=body)
                        told.append(answer)
                    may = verb.action == ANY or role in (verb.action, "admin")
                    found, absent = (each.status_code for each in told)
                    if found != absent or found != (404 if may else 403) or SECRET in told[0].text:
                        wrong.append(f"{role} {verb.name}: {found}, {absent} {told[0].text[:140]}")
    assert not wrong, "\n".join(wrong)


def test_the_table_says_what_each_verb_names_and_how_it_is_kept() -> None:
    """What has an id over all tenants is named by one argument, and every verb that names one of it does so by that;
    all else is found under the caller's tenant alone."""
    for verb in (verb for verb in TABLE if verb.answered_by in ("run", "holder") and verb.resource != "blob"):
        kept = KEPT_BY_ID[verb.resource]
        assert kept.argument in verb.args.__struct_fields__, verb  # type: ignore[attr-defined]  # a Struct
    named = {name for verb in TABLE for way in verb.http for name in re.findall(r"{(\w+)}", way.path)}
    assert named.issuperset(kept.argument for kept in KEPT_BY_ID.values())
    for kind, kept in KEPT_BY_ID.items():
        for other in (None, msgspec.structs.replace(LOCAL, tenant="other")):
            with pytest.raises(NotFound) as none:
                owned(LOCAL, kind, "x" * 99, kind, other)
            assert (none.value.code, "x" * 65 in none.value.detail) == (kept.code, False)
        assert owned(LOCAL, kind, "x", kind, LOCAL) == kind
