"""Topics that agents ask for while they handle records, and topics of other namespaces that they may consume."""

from pathlib import Path
from typing import Any

import pytest

import aob
from aob.core.errors import Invalid
from aob.core.organisation import limits
from aob.core.policy import LOCAL
from aob.work import WorkError
from tests.organisation.test_agents_at_work import home, records, send, values


@pytest.mark.every_store
async def test_an_agent_gets_topics_of_its_own_by_the_law_of_the_organisation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr("aob.core.organisation.topics.AGENT_TOPICS_MAX", 2)
    assert limits.AGENT_TOPICS_MAX == 100

    @aob.agent(consumes=["orders"], produces=["out"])
    async def opens(record: Any, ctx: Any) -> None:
        try:
            name = await ctx.request_topic(record.data, types=["note"], expires="1d")
            ctx.emit(name, "note", ctx.key)
        except WorkError as error:
            ctx.emit("out", "refused", [record.data, error.fault.code])

    async with home(tmp_path, opens) as app:
        asked = ["case-1", "case-1", "acme.other.x", "a..b", "out", "case-2", "case-3"]
        await send(app, "ann", *asked)
        assert values(await records(app, "out", 4)) == [
            ["acme.other.x", "other_namespace"], ["a..b", "bad_name"], ["out", "topic_exists"], ["case-3", "quota"],
        ]  # fmt: skip
        assert values(await records(app, "case-1", 2)) == ["ann", "ann"]
        made = await app.metrics.topic(LOCAL, "case-1")
        assert (made["owner"], made["types"], made["expires"] is not None) == ("opens", ["note"], True)
        history = (await app.metrics.org_history(LOCAL, "case-3"))["entries"]
        assert [(each["type"], each["by"], each["data"]["code"]) for each in history] == [
            ("topic_refused", "opens", "quota")
        ]
        await app.metrics.retire_agent(LOCAL, "opens")
        assert (await app.metrics.topic(LOCAL, "case-2"))["state"] == "draining"


async def test_an_agent_consumes_of_other_namespaces_what_is_exported_to_it(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        room = app.metrics
        await room.create_topic(LOCAL, "acme.sales.orders")
        await room.create_topic(LOCAL, "acme.sales.open", exports=("*",))
        with pytest.raises(Invalid) as refused:
            await room.register_agent(LOCAL, "acme.support.triage", consumes=("acme.sales.orders", "acme.sales.open"))
        (problem,) = refused.value.problems
        assert (refused.value.code, problem.path, problem.code) == ("not_exported", "/consumes/0", "not_exported")
        assert problem.hint == "aob topic update acme.sales.orders --export acme.support"
        assert (await room.register_agent(LOCAL, "acme.sales.own", consumes=("acme.sales.orders",)))["created"]
        changed = await room.update_topic(LOCAL, "acme.sales.orders", exports=("acme.support",))
        assert changed["exports"] == ["acme.support"]
        asked = {"consumes": ("acme.sales.orders", "acme.sales.open")}
        assert (await room.register_agent(LOCAL, "acme.support.triage", **asked))["created"]
        await room.update_topic(LOCAL, "acme.sales.orders", exports=())
        assert not (await room.register_agent(LOCAL, "acme.support.triage", **asked))["created"], "it has it already"
        with pytest.raises(Invalid):
            await room.register_agent(LOCAL, "other", consumes=("acme.sales.orders",))
