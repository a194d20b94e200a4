"""Signed links: opening one changes nothing, posting decides, and only what was signed may be decided."""

from collections.abc import AsyncIterator

import httpx
import pytest

from aob.core.policy import LOCAL, Link, sign_link
from aob.server import App
from tests.server.calls import problem
from tests.server.conftest import LINK_SECRET, NOW_MS
from tests.server.fake import SECRET, FakeEngine

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


@pytest.fixture
async def keyed(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with the key of the home."""
    headers = {"x-api-key": SECRET}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://desk:8443", headers=headers
    ) as c:
        yield c


async def test_a_link_is_made_on_request_and_decides(
    keyed: httpx.AsyncClient, guest: httpx.AsyncClient, ticket_id: str, engine: FakeEngine
) -> None:
    made = (await keyed.post(f"/v1/tickets/{ticket_id}/links", json={"to": "bob@example.org"})).json()
    assert made["url"].startswith("https://desk:8443/v1/links/")
    assert made["expires_at"] == NOW_MS + 7 * 86_400_000
    path = httpx.URL(made["url"]).path
    assert 'value="reject"' in (await guest.get(path)).text
    assert engine.open_tickets[ticket_id]["state"] == "open"
    assert (await guest.post(path, data={"choice": "approve"})).status_code == 200
    assert engine.open_tickets[ticket_id]["answer"]["by"] == "link:bob@example.org"
    problem(await keyed.post(f"/v1/tickets/{ticket_id}/links"), 409, "ticket_closed")


async def test_a_link_is_made_for_whom_what_and_how_long_it_is_asked_for(
    keyed: httpx.AsyncClient, guest: httpx.AsyncClient, ticket_id: str
) -> None:
    path = f"/v1/tickets/{ticket_id}/links"
    made = (await keyed.post(path, json={"choices": ["reject"], "expires": "2h", "to": "b" * 200})).json()
    assert made["expires_at"] == NOW_MS + 2 * 3_600_000
    form = (await guest.get(httpx.URL(made["url"]).path)).text
    assert 'value="reject"' in form
    assert 'value="approve"' not in form


async def test_a_link_ends_with_its_ticket(keyed: httpx.AsyncClient, ticket_id: str, engine: FakeEngine) -> None:
    engine.open_tickets[ticket_id]["due"] = NOW_MS + 1_000
    for body in ({}, {"expires": "1h"}):
        made = (await keyed.post(f"/v1/tickets/{ticket_id}/links", json=body)).json()
        assert made["expires_at"] == NOW_MS + 1_000


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"choices": ["approve", "burn"]}, "/choices/1"),
        ({"choices": []}, "/choices"),
        ({"expires": "soon"}, "/expires"),
        ({"expires": "0s"}, "/expires"),
        ({"expires": "91d"}, "/expires"),
        ({"to": "b" * 201}, "/to"),
    ],
)
async def test_a_link_that_cannot_be_made_says_where(
    body: dict[str, object], place: str, keyed: httpx.AsyncClient, ticket_id: str
) -> None:
    refused = problem(await keyed.post(f"/v1/tickets/{ticket_id}/links", json=body), 422, "invalid")
    assert [each["path"] for each in refused["problems"]] == [place]


async def test_only_who_may_approve_makes_links(keyed: httpx.AsyncClient, ticket_id: str, engine: FakeEngine) -> None:
    path = f"/v1/tickets/{ticket_id}/links"
    for roles, tenant, status, code in (
        (("view", "run", "patch"), "default", 403, "refused"), (("approve",), "other", 404, "ticket_not_found"),
    ):  # fmt: skip
        keyed.headers["x-api-key"] = (await engine.create_key(LOCAL, "k", roles, tenant))["secret"]
        problem(await keyed.post(path), status, code)


@pytest.mark.parametrize(("host", "url"), [("a b", "/v1/links/"), ("[::1]:80", "https://[::1]:80/v1/links/")])
async def test_a_host_that_is_none_makes_no_url(host: str, url: str, keyed: httpx.AsyncClient, ticket_id: str) -> None:
    made = await keyed.post(f"/v1/tickets/{ticket_id}/links", headers={"host": host})
    assert made.json()["url"].startswith(url)


@pytest.mark.parametrize("at", [3, -3])
async def test_a_link_that_was_altered_opens_nothing(
    at: int, keyed: httpx.AsyncClient, guest: httpx.AsyncClient, ticket_id: str, engine: FakeEngine
) -> None:
    made = (await keyed.post(f"/v1/tickets/{ticket_id}/links")).json()
    text = httpx.URL(made["url"]).path.rpartition("/")[2]
    altered = list(text)
    altered[at] = "A" if text[at] != "A" else "B"
    assert (await guest.get(f"/v1/links/{''.join(altered)}")).status_code == 403
    problem(await guest.post(f"/v1/links/{''.join(altered)}", json={"choice": "approve"}), 403, "bad_link")
    assert engine.open_tickets[ticket_id]["state"] == "open"


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
