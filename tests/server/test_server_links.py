"""Signed links: opening one changes nothing, posting decides, and only what was signed may be decided."""

import httpx
import pytest

from aob.core.policy import LOCAL, Link, sign_link
from tests.server.calls import problem
from tests.server.conftest import LINK_SECRET, NOW_MS
from tests.server.fake import FakeEngine

FORM = {"sum": "number", "sure": "boolean", "note": {"type": "string", "title": "A <note>"}}


@pytest.fixture
def guest(http: httpx.AsyncClient) -> httpx.AsyncClient:
    """Somebody without a key."""
    del http.headers["x-api-key"]
    return http


@pytest.fixture
async def ticket_id(engine: FakeEngine) -> str:
    run_id = (await engine.start(LOCAL, "order", {}))["run_id"]
    return engine.ask(run_id, form=FORM, shown={"order": "<b>7</b>"})


def link(ticket_id: str, *choices: str, expires_ms: int = NOW_MS + 1, secret: bytes = LINK_SECRET) -> str:
    made = Link("default", ticket_id, choices or ("approve", "reject"), expires_ms, "ada@example.org")
    return f"/v1/links/{sign_link(secret, made)}"


async def test_opening_a_link_shows_a_form_and_changes_nothing(
    guest: httpx.AsyncClient, ticket_id: str, engine: FakeEngine
) -> None:
    page = await guest.get(link(ticket_id))
    assert page.status_code == 200
    assert 'value="approve"' in page.text
    assert 'name="value.sum"' in page.text
    assert "A &lt;note&gt;" in page.text
    assert "Ship &lt;order&gt;?" in page.text
    assert "<b>7" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert engine.open_tickets[ticket_id]["state"] == "open"


async def test_posting_the_form_decides_with_typed_values(
    guest: httpx.AsyncClient, ticket_id: str, engine: FakeEngine
) -> None:
    form = {"choice": "approve", "reason": "fine", "value.sum": " 4.5 ", "value.sure": "on", "value.note": "7"}
    page = await guest.post(link(ticket_id), data=form)
    assert page.status_code == 200
    assert "Decided: approve" in page.text
    answer = engine.open_tickets[ticket_id]["answer"]
    assert answer == {
        "choice": "approve", "by": "link:ada@example.org", "reason": "fine",
        "values": {"sum": 4.5, "sure": True, "note": "7"},
    }  # fmt: skip


async def test_json_decides_too(guest: httpx.AsyncClient, ticket_id: str) -> None:
    answer = await guest.post(link(ticket_id), json={"choice": "reject"})
    assert answer.json()["choice"] == "reject"


async def test_a_decided_ticket_is_told_and_not_decided_again(guest: httpx.AsyncClient, ticket_id: str) -> None:
    path = link(ticket_id)
    await guest.post(path, data={"choice": "approve"})
    assert "is approve: nothing is left to decide" in (await guest.get(path)).text
    again = await guest.post(path, data={"choice": "reject"})
    assert (again.status_code, again.headers["content-type"]) == (409, "text/html; charset=utf-8")
    problem(await guest.post(path, json={"choice": "reject"}), 409, "ticket_closed")


async def test_a_link_allows_only_its_own_choices(guest: httpx.AsyncClient, ticket_id: str, engine: FakeEngine) -> None:
    path = link(ticket_id, "reject")
    assert 'value="approve"' not in (await guest.get(path)).text
    problem(await guest.post(path, json={"choice": "approve"}), 422, "invalid")
    assert (await guest.post(path, data={"choice": "approve"})).status_code == 422
    assert engine.open_tickets[ticket_id]["state"] == "open"


@pytest.mark.parametrize("how", ["expired", "forged", "junk"])
async def test_a_link_that_is_not_ours_or_too_old_opens_nothing(
    how: str, guest: httpx.AsyncClient, ticket_id: str, engine: FakeEngine
) -> None:
    path = {
        "expired": link(ticket_id, expires_ms=NOW_MS),
        "forged": link(ticket_id, secret=b"x" * 32),
        "junk": "/v1/links/junk",
    }[how]
    page = await guest.get(path)
    assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    problem(await guest.post(path, json={"choice": "approve"}), 403, "link_expired" if how == "expired" else "bad_link")
    assert engine.open_tickets[ticket_id]["state"] == "open"


async def test_a_link_to_a_ticket_that_is_gone_says_so(guest: httpx.AsyncClient) -> None:
    page = await guest.get(link("ticket_none"))
    assert page.status_code == 404
    assert "gone" in page.text


async def test_a_form_with_too_many_fields_is_refused(guest: httpx.AsyncClient, ticket_id: str) -> None:
    answer = await guest.post(link(ticket_id), data={f"value.{n}": "1" for n in range(200)})
    assert answer.status_code == 400
