"""Webhooks that sign with a secret of the home: looked up when a message is signed, never kept, never left out."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from aob.core.errors import Conflict, Invalid
from aob.core.metric_answers import WebhookView
from aob.core.policy import LOCAL
from aob.work.secrets import Vault
from tests.fanout.webhooks.house import House, numbers, told
from tests.work.peers import Peer
from tests.work.peers import peer as listening

OLD, NEW = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with listening() as found:
        found.answer("/in")
        yield found


@pytest.fixture
async def home(tmp_path: Path, peer: Peer) -> AsyncIterator[House]:
    async with House(tmp_path / "secrets").open(peer) as opened:
        yield opened


async def _look(home: House, id: str) -> None:
    await home.hooks.update_webhook(LOCAL, id, paused=False)


async def _stands(home: House, id: str, code: str) -> WebhookView:
    """The webhook, once it says what it waits for: it does when it next looks, which a resume asks for."""
    async with asyncio.timeout(20):
        while True:
            await _look(home, id)
            view = await home.hooks.webhook(LOCAL, id)
            if view.get("waits_for", "").startswith(code):
                return view


@pytest.mark.parametrize("place", ["environment", "home", "mounted"])
async def test_a_message_is_signed_by_the_value_and_only_the_name_is_kept(
    home: House, peer: Peer, place: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    if place == "environment":
        monkeypatch.setenv("AOB_SECRET_HOOK", OLD)
    elif place == "home":
        Vault(home.folder).set("HOOK", OLD)
    else:
        home.folder.mkdir()
        (home.folder / "HOOK").write_text(OLD + "\n")
    hook = await home.subscribed(peer, events=["a"], secret="{secret:HOOK}")
    assert hook["secret"] == "{secret:HOOK}"
    home.committed("a")
    (asked,) = await peer.asked()
    assert told(asked, OLD)["type"] == "a"
    await home.delivered(hook["id"], 1)
    await home.hooks._shared.saver.flush()
    kept = (home.folder / f"{hook['id']}.json").read_text() + repr(home.pages._pages) + repr(vars(home.store))
    shown = repr(await home.hooks.webhooks(LOCAL)) + repr(await home.sent(hook["id"])) + caplog.text
    assert OLD not in kept + shown
    assert OLD.removeprefix("whsec_") not in kept + shown


async def test_a_new_value_counts_from_the_next_message_on(home: House, peer: Peer) -> None:
    Vault(home.folder).set("HOOK", OLD)
    await home.subscribed(peer, events=["a"], secret="{secret:HOOK}")
    home.committed("a")
    await peer.asked(1)
    Vault(home.folder).set("HOOK", NEW)
    home.committed("a")
    first, second = await peer.asked(2)
    assert told(first, OLD)
    assert told(second, NEW)


async def test_after_another_name_both_sign_for_a_while(home: House, peer: Peer) -> None:
    vault = Vault(home.folder)
    vault.set("ONE", OLD)
    vault.set("TWO", NEW)
    hook = await home.subscribed(peer, events=["a"], secret="{secret:ONE}")
    with pytest.raises(Conflict, match="ONE"):
        await home.hooks.update_webhook(LOCAL, hook["id"], rotate=True)
    changed = await home.hooks.update_webhook(LOCAL, hook["id"], secret="{secret:TWO}")
    assert changed["secret"] == "{secret:TWO}"
    home.committed("a")
    (asked,) = await peer.asked()
    assert told(asked, OLD) == told(asked, NEW)
    vault.remove("ONE")
    home.committed("a")
    later = (await peer.asked(2))[1]
    assert told(later, NEW)
    assert len(later.headers["webhook-signature"].split()) == 1


@pytest.mark.parametrize(
    ("code", "value", "host"),
    [
        ("secret_missing", None, ()),
        ("secret_refused", NEW, ("elsewhere.example",)),
        ("bad_secret", "no signing secret", ()),
        ("bad_secret", "whsec_" + base64.b64encode(b"short").decode(), ()),
    ],
)
async def test_what_cannot_be_signed_waits_says_why_and_is_never_sent_unsigned(
    home: House, peer: Peer, code: str, value: str | None, host: tuple[str, ...]
) -> None:
    vault = Vault(home.folder)
    if value is not None:
        vault.set("HOOK", value, host)
    hook = await home.subscribed(peer, events=["a"], secret="{secret:HOOK}")
    home.committed("a", "a")
    view = await _stands(home, hook["id"], code)
    assert view["state"] == "active"
    assert view["waiting"] == 2
    assert "HOOK" in view["waits_for"]
    assert value is None or value not in view["waits_for"]
    (waiting,) = await home.sent(hook["id"])
    assert (waiting["state"], waiting["attempts"]) == ("waiting", [])
    assert waiting["waits_for"] == view["waits_for"]
    assert home.hooks.health() == {"subscribed": 1, "waiting_for": {code: 1}}
    assert not peer.requests
    vault.set("HOOK", OLD)
    await _look(home, hook["id"])
    asked = await peer.asked(2)
    assert numbers(asked) == [0, 1]
    assert all(told(each, OLD) for each in asked)
    done = await home.delivered(hook["id"], 2)
    assert "waits_for" not in done
    assert home.hooks.health() == {"subscribed": 1, "waiting_for": {}}


async def test_a_secret_that_goes_missing_for_a_while_loses_nothing(
    home: House, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Vault(home.folder).set("HOOK", OLD)
    hook = await home.subscribed(peer, events=["a"], secret="{secret:HOOK}")
    home.committed("a")
    await home.delivered(hook["id"], 1)
    Vault(home.folder).remove("HOOK")
    home.committed("a", "a")
    await _stands(home, hook["id"], "secret_missing")
    monkeypatch.setenv("AOB_SECRET_HOOK", NEW)
    await _look(home, hook["id"])
    asked = await peer.asked(3)
    assert numbers(asked) == [0, 1, 2]
    Webhook(NEW).verify(asked[2].body, asked[2].headers)


@pytest.mark.parametrize(
    "secret", ["{secret:}", "{secret:hook_00}", "whsec_{secret:HOOK}", "{secret:A}{secret:B}", "x"]
)
async def test_what_is_no_reference_is_refused(home: House, peer: Peer, secret: str) -> None:
    with pytest.raises(Invalid, match="whsec_"):
        await home.subscribed(peer, events=["a"], secret=secret)


async def test_the_path_of_a_target_may_name_a_secret(home: House, peer: Peer) -> None:
    peer.answer("/in/tok-123")
    hook = await home.subscribed(peer, "/in/{secret:TOKEN}", events=["a"])
    home.committed("a")
    await _stands(home, hook["id"], "secret_missing")
    Vault(home.folder).set("TOKEN", "tok-123")
    await _look(home, hook["id"])
    (asked,) = await peer.asked()
    assert told(asked, hook["secret"])
    assert "tok-123" not in repr(await home.hooks.webhooks(LOCAL))


@pytest.mark.parametrize(
    "url", ["http://{secret:HOST}/in", "http://a.example:{secret:P}/", "http://a.example/{secret:}"]
)
async def test_a_host_that_cannot_be_judged_is_no_target(home: House, url: str) -> None:
    with pytest.raises(Invalid):
        await home.hooks.create_webhook(LOCAL, url, events=["a"])
