"""Every route and every verb with every role, of the own and of another tenant: the table of routes is the table of
tests."""

import inspect
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest

import aob
from aob.compose import App
from aob.compose.handlers import HandlerVerbs
from aob.compose.layout import LiveMoves, layout_of
from aob.compose.live_settings import SettingsRoom
from aob.compose.shards.local import LocalShard
from aob.compose.shards.owners import HomeVerbs
from aob.compose.status import Status
from aob.core.errors import AobError, NotFound, Refused
from aob.core.node import ROLES
from aob.core.policy import LOCAL, Caller
from aob.core.rights import ANY
from aob.core.rules import RULES
from aob.core.verbs import TABLE
from aob.server import create_app
from aob.server.http.route import AnyRoute
from aob.server.routes import make_table
from tests.server.test_server_live_home import SHOP, order

OWN: Final = "finance"
"""A role of one's own: that of the open ticket."""
ROUTES: Final = make_table("0", (b"",), lambda: 0).routes
RIGHTS: Final = {verb.name: verb.action for verb in TABLE}
KEYED: Final = [route for route in ROUTES if route.role is not None]
ASKING: Final = {
    "workflow": "asking",
    "nodes": {
        "sure": {"kind": "approval", "config": {"role": OWN}},
        "end": {"kind": "timer", "config": {"for": "1ms"}},
    },
    "edges": {"e": {"from": "sure", "to": "end", "on": "approved"}},
}
BODIES: Final[dict[str, Any]] = {
    "answer_ticket": {"choice": "perhaps"},
    "link_ticket": {"choices": ["perhaps"]},
    "ingest_events": [],
}
DECIDES: Final = {"answer_ticket", "link_ticket"}
WHOLE_HOME: Final = {"list_shards", "show_status", "show_settings", "push_settings"}
"""They tell of all tenants: only those of the home's own tenant are told."""
HANDS: Final = {"follow_run", "follow_all", "follow_all_alias", "follow_logs", "stream_events", "stream_org"}
"""Feeds that go on: they are asked for their head only."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
async def home(folder: Path) -> AsyncIterator[App]:
    async with aob.open(folder) as app:
        yield app


@pytest.fixture
async def known(home: App) -> dict[str, str]:
    """Names of what the home has, by the parameters of paths."""
    await home.push(ASKING)
    await home.push_contracts({"shop.yaml": SHOP})
    await home.ingest([order("1"), {"type": "order.created", "source": "s", "id": "2", "data": {}}])
    await home.metrics.create_topic(LOCAL, "orders")
    await home.metrics.register_agent(LOCAL, "triage")
    await home.metrics.push_schema(LOCAL, "orders-value", '{"type": "object"}')
    run = await home.start("asking")
    (ticket,) = await home.views.tickets(LOCAL, run_id=run.id)
    return {
        "run_id": run.id, "name": "asking", "ticket_id": ticket["ticket_id"], "patch_id": "patch_0", "key_id": "key_0",
        "hash": "0" * 64, "cursor": "0." + "0" * 64, "metric": "revenue",
        "type": "order", "id": "1", "kind": "metric", "contract": "revenue",
        "number": "1", "alert": "revenue_high", "slo": "none", "webhook_id": "hook_0", "delivery_id": "msg_0",
        "topic": "orders", "agent": "triage", "namespace": "default", "subject": "orders-value", "group": "billing",
        "task_id": "none", "plan_id": "none", "decision": "none",
    }  # fmt: skip


def path_of(route: AnyRoute, known: dict[str, str]) -> str:
    path = route.path
    for name in route.params:
        # What would change the home is asked of what is not there: each role meets the same home.
        there = route.method == "GET" or route.name in DECIDES
        path = path.replace("{" + name + "}", known[name] if there else "none_0" if name != "number" else "0")
    return path


async def asked(http: httpx.AsyncClient, route: AnyRoute, known: dict[str, str], secret: str) -> httpx.Response:
    method = "HEAD" if route.name in HANDS else route.method
    content: dict[str, Any] = {"json": BODIES.get(route.name, {})} if route.takes_body else {}
    return await http.request(method, path_of(route, known), headers={"x-api-key": secret}, **content)


def may(route: AnyRoute, role: str) -> bool:
    return role == "admin" or role == (OWN if route.role == ANY else route.role)


@pytest.mark.timeout(60)
async def never(*given: Any, **named: Any) -> None:
    """Nobody starts a shard here."""


def shards_of(home: App) -> HomeVerbs:
    """What moves its partitions, and says how it is."""
    shards = [LocalShard(0, home)]
    moves = LiveMoves(home.home, layout_of(home.home), shards, never, lambda layout: None)
    core, settings = home.views.core, SettingsRoom(home.shared.following, home.shared.live, lambda: RULES)
    handlers = HandlerVerbs(
        home.shared.paused, core.handlers, core.handlers.own, lambda tenant: [], core.time_ms, lambda: RULES
    )
    return HomeVerbs(moves, Status(home, lambda: shards, dict), handlers, settings)


def room_of(home: App, verb: str) -> Any:
    """The room that has a verb."""
    rooms = (home.views, home.metrics, shards_of(home))
    return next(room for room in rooms if hasattr(room, verb))


async def test_every_route_with_every_role_of_the_own_and_of_another_tenant(home: App, known: dict[str, str]) -> None:
    app = create_app(home.views, home.metrics, shards_of(home))
    wrong = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        for role in (*ROLES, OWN):
            for tenant in ("default", "other"):
                made = await home.views.create_key(LOCAL, f"{role}-{tenant}", [role], tenant)
                for route in KEYED:
                    got = await asked(http, route, known, made["secret"])
                    status = got.status_code
                    theirs = tenant == "other" and route.params and route.method == "GET" and route.name not in HANDS
                    if route.name == "list_agent_keys" and status == 200:
                        theirs = theirs and got.json() != {"keys": [], "next": None}  # names none: nothing is found
                    if status >= 500 or status == 401:
                        wrong.append((route.name, role, tenant, status, "broke"))
                    elif route.role == ANY and tenant == "other":
                        if status != 404:
                            wrong.append((route.name, role, tenant, status, "knows the ticket of another tenant"))
                    elif route.name in WHOLE_HOME and tenant == "other":
                        if status != 403:
                            wrong.append((route.name, role, tenant, status, "sees the home of all tenants"))
                    elif (status == 403) is may(route, role):
                        wrong.append((route.name, role, tenant, status, "may" if may(route, role) else "may not"))
                    elif theirs and may(route, role) and status not in (404, 422):
                        wrong.append((route.name, role, tenant, status, "finds what is another tenant's"))
    assert not wrong


def test_every_verb_has_its_role_in_the_one_table() -> None:
    assert len(RIGHTS) == len(TABLE), "a verb stands there once"
    assert set(RIGHTS.values()) == {*ROLES, ANY}


def test_no_route_states_a_role_of_its_own() -> None:
    stated = [route.name for route in ROUTES if route.role is not None and not route.verb]
    assert not stated, "say verb=..., and write the verb into its table"


def value_of(kind: str) -> Any:
    if kind.startswith(("list", "Sequence", "collections.abc.Sequence")):
        return []
    return {} if "dict" in kind.lower() or "Mapping" in kind or "JsonObject" in kind else 0 if kind == "int" else "x"


async def refusal(home: App, verb: str) -> str:
    """What a verb says to somebody with every role but its own."""
    rooms = room_of(home, verb)
    weak = Caller("default", "weak", frozenset((*ROLES, OWN)) - {"admin", RIGHTS[verb]}, "key_weak")
    fields = msgspec.structs.fields(next(each for each in TABLE if each.name == verb).args)
    begun = getattr(rooms, verb)(weak, **{field.name: value_of(str(field.type)) for field in fields if field.required})
    try:
        await (anext(begun) if inspect.isasyncgen(begun) else begun)
    except Refused as refused:
        return str(refused)
    return "did it"


async def test_a_verb_itself_refuses_who_lacks_the_role_of_its_route(home: App) -> None:
    """Whatever the route has let pass: the engine is asked by others than routes, too."""
    checked = [verb for verb, role in RIGHTS.items() if role != ANY and verb != "validate"]
    said = {verb: await refusal(home, verb) for verb in checked}
    assert not {verb: words for verb, words in said.items() if f"lacks the role `{RIGHTS[verb]}`" not in words}


class Loads:
    """Counts whatever is read for a verb: streams, heads, rows, values, events, pages of SQL."""

    READS: Final = (
        "load",
        "heads",
        "head",
        "rows",
        "removed",
        "ended",
        "fetch",
        "get",
        "dead",
        "views",
        "query",
        "read",
    )

    def __init__(self, home: App, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        core, metrics = home.views.core, home.wiring
        assert metrics is not None
        for part in (core.journal, core.store, core.values, core.blobs, metrics.log, metrics.serving):
            for name in self.READS:
                if hasattr(part, name):
                    monkeypatch.setattr(part, name, self._counted(name, getattr(part, name)), raising=False)

    def _counted(self, name: str, function: Any) -> Any:
        def read(*args: Any, **named: Any) -> Any:
            self.seen.append(name)
            return function(*args, **named)

        return read


async def test_an_action_is_refused_before_anything_is_loaded(
    home: App, known: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of what is there: who may not do it learns nothing, not even by how long it takes."""
    loads = Loads(home, monkeypatch)
    for role in (*ROLES, OWN):
        weak = Caller("default", "weak", frozenset({role}), "key_weak")
        for verb in TABLE:
            if verb.name == "validate" or verb.action == ANY or weak.may(verb.action):
                continue
            rooms = room_of(home, verb.name)
            fields = [field for field in msgspec.structs.fields(verb.args) if field.required]
            given = {field.name: known.get(field.encode_name, value_of(str(field.type))) for field in fields}
            begun = getattr(rooms, verb.name)(weak, **given)
            with pytest.raises(Refused, match=f"lacks the role `{verb.action}`"):
                await (anext(begun) if inspect.isasyncgen(begun) else begun)
            assert not loads.seen, verb


RUN_VERBS: Final = [verb for verb in TABLE if verb.answered_by in ("run", "holder") and verb.resource != "blob"]


async def test_what_is_another_tenants_is_not_there_whatever_the_verb_and_the_role(
    home: App, known: dict[str, str]
) -> None:
    """NotFound, never Refused: of a run, a ticket and a patch that exist."""
    run = await home.start("asking")
    await home.views.propose(LOCAL, run.id, {"operations": [{"op": "disable", "id": "end"}], "id": "p"})
    (patch,) = await home.views.patches(LOCAL, run.id)
    there = {**known, "run_id": run.id, "patch_id": patch["patch_id"]}
    loose = []
    for verb in RUN_VERBS:
        roles = ROLES if verb.action == ANY else (verb.action, "admin")
        for role in roles:
            stranger = Caller("other", "eve", frozenset({role, OWN}), "key_eve")
            fields = [field for field in msgspec.structs.fields(verb.args) if field.required]
            given = {field.name: there.get(field.encode_name, value_of(str(field.type))) for field in fields}
            if verb.name == "propose":
                given["body"] = {"operations": [{"op": "disable", "id": "end"}]}
            if verb.name == "wait":
                given["within_ms"] = 1
            begun = getattr(home.views, verb.name)(stranger, **given)
            try:
                await (anext(begun) if inspect.isasyncgen(begun) else begun)
            except NotFound:
                continue
            except AobError as error:
                loose.append((verb, role, error.code))
            else:
                loose.append((verb, role, "did it"))
    assert not loose
