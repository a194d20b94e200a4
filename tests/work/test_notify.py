"""`notify` nodes: real mail to a real SMTP sink, webhooks to a real server, nothing from a document but names."""

import sys
from collections.abc import AsyncIterator, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from aob.ports.workers import Fault, Job
from aob.work import WorkError
from aob.work.egress import CheckedClient, EgressRules
from aob.work.kinds.notify import addresses, perform
from aob.work.outcome import fault_of
from aob.work.tools import Smtp, Tools
from tests.servers.ports import free_port
from tests.work.jobs import Asked, job_of, node_of, tools_of
from tests.work.peers import Peer, peer

pytest.importorskip("apprise", reason="the extra `notify` is not installed")
controller = pytest.importorskip("aiosmtpd.controller", reason="aiosmtpd is not installed")


class Sink:
    """An SMTP server that keeps what it takes, and refuses whom it is told to."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[Any] = []
        self.hangs_up = False
        self.port = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.hangs_up:
            server.transport.abort()
            return "250 never seen"
        self.envelopes.append(envelope)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def sink() -> Iterator[Sink]:
    it = Sink()
    it.port = free_port()
    server = controller.Controller(it, hostname="127.0.0.1", port=it.port)
    server.start()
    yield it
    server.stop()


@pytest.fixture
async def hook() -> AsyncIterator[Peer]:
    async with peer() as it:
        it.answer("/hook", b"ok")
        yield it


@pytest.fixture
async def tools(sink: Sink, hook: Peer) -> AsyncIterator[Tools]:
    rules = EgressRules((f"127.0.0.1:{hook.port}",))
    async with CheckedClient(rules) as client:
        yield tools_of(
            http=client,
            smtp=Smtp("127.0.0.1", sink.port, "shop@example.com"),
            targets={
                "ops": f"{hook.url}/hook?token=secret",
                "odd": "nosuchscheme://x",
                "json": f"json://127.0.0.1:{hook.port}/hook",
            },
        )


def job(to: str, text: str = "hello", value: Any = None, *, effect: str = "once", **config: Any) -> Job:
    return job_of(node_of("notify", {"to": to, "text": text, **config}, effect=effect), value)


async def told(asked: Job, tools: Tools) -> tuple[Any, list[Any]]:
    ctx = Asked(asked)
    return await perform(asked, ctx, tools), ctx.asked


async def fault(asked: Job, tools: Tools) -> tuple[Fault, list[str]]:
    ctx = Asked(asked)
    with pytest.raises(WorkError) as error:
        await perform(asked, ctx, tools)
    return fault_of(error.value), [what for what, _ in ctx.asked]


# -- mail


async def test_a_mail_is_really_delivered(sink: Sink, tools: Tools) -> None:
    asked = job("mailto:{email}", "Order {id} is <on> its way & grüßt.\nBye", {"email": "ann@example.com", "id": 42},
                subject="Your order {id}")  # fmt: skip
    output, recorded = await told(asked, tools)
    assert output == {"to": "mailto:ann@example.com", "channel": "mailto"}
    (mail,) = sink.mails
    assert (mail["to"], mail["subject"], mail["from"]) == ("ann@example.com", "Your order 42", "shop@example.com")
    assert mail.get_content().strip().splitlines() == ["Order 42 is <on> its way & grüßt.", "Bye"]
    assert mail.get_content_type() == "text/plain"
    assert [what for what, _ in recorded] == ["intend notify", "settle"]
    assert recorded[0][1]["to"] == "mailto:ann@example.com"


async def test_several_people_may_be_told(sink: Sink, tools: Tools) -> None:
    await told(job("mailto:ann@example.com, bob@example.org"), tools)
    assert sorted(address for envelope in sink.envelopes for address in envelope.rcpt_tos) == [
        "ann@example.com",
        "bob@example.org",
    ]


@pytest.mark.parametrize(
    "address",
    ["", "ann", "ann@example.com?smtp=evil.test", "ann@example.com\r\nBcc: eve@evil.test", "a b@example.com",
     "<ann@example.com>", "ann@example.com/x", "ann@", "@example.com", "ann@example.com;eve@evil.test"],
)  # fmt: skip
async def test_what_is_not_a_mail_address_is_refused_and_nothing_is_sent(
    sink: Sink, tools: Tools, address: str
) -> None:
    refused, asked = await fault(job("mailto:{to}", value={"to": address}), tools)
    assert (refused.code, refused.transient) == ("target_invalid", False)
    assert asked == ["intend notify", "settle"]
    assert sink.mails == []


def test_too_many_addresses_are_refused() -> None:
    assert len(addresses(",".join(f"a{n}@example.com" for n in range(20)))) == 20
    with pytest.raises(WorkError):
        addresses(",".join(f"a{n}@example.com" for n in range(21)))


async def test_a_subject_has_one_line_whatever_is_filled_in(sink: Sink, tools: Tools) -> None:
    await told(job("mailto:ann@example.com", subject="{s}", value={"s": "a\r\nBcc: eve@evil.test"}), tools)
    (mail,) = sink.mails
    assert (mail["subject"], mail["bcc"]) == ("a Bcc: eve@evil.test", None)


async def test_a_mail_that_the_server_refuses_did_not_happen(sink: Sink, tools: Tools) -> None:
    refused, asked = await fault(job("mailto:nobody@example.com"), tools)
    assert (refused.code, refused.transient) == ("notify_failed", True)
    assert asked == ["intend notify", "settle"]


async def test_a_mail_server_that_is_not_there_did_not_take_it(hook: Peer) -> None:
    port = free_port()
    refused, asked = await fault(job("mailto:ann@example.com"), tools_of(smtp=Smtp("127.0.0.1", port)))
    assert (refused.code, refused.transient) == ("notify_failed", True)
    assert f"127.0.0.1:{port}" in refused.message
    assert asked == ["intend notify", "settle"]


async def test_a_mail_cut_off_while_it_was_taken_is_uncertain(sink: Sink, tools: Tools) -> None:
    sink.hangs_up = True
    refused, asked = await fault(job("mailto:ann@example.com"), tools)
    assert (refused.code, refused.transient) == ("uncertain", False)
    assert asked == ["intend notify"]


async def test_a_home_without_a_mail_server_says_so() -> None:
    refused, _ = await fault(job("mailto:ann@example.com"), tools_of())
    assert (refused.code, refused.transient, "[smtp]" in refused.detail["hint"]) == ("smtp_missing", False, True)


async def test_without_the_extra_it_is_named(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    refused, _ = await fault(job("mailto:ann@example.com"), tools)
    assert (refused.code, "[notify]" in refused.detail["hint"]) == ("extra_missing", True)


# -- webhooks and others


async def test_slack_is_told_by_the_name_of_its_webhook(hook: Peer, tools: Tools) -> None:
    import msgspec

    output, recorded = await told(job("slack:ops", "failed: {why}", {"why": "no stock"}, subject="Order"), tools)
    (asked,) = hook.requests
    assert msgspec.json.decode(asked.body) == {"text": "*Order*\nfailed: no stock"}
    assert (asked.target, asked.headers["idempotency-key"]) == ("/hook?token=secret", "key-run_1-n")
    assert output == {"to": "slack:ops", "channel": "slack"}
    assert "secret" not in repr(recorded)


async def test_a_webhook_is_told_which_run_speaks(hook: Peer, tools: Tools) -> None:
    import msgspec

    await told(job("webhook:ops"), tools)
    await told(job(hook.url + "/{where}", value={"where": "hook"}), tools)
    for asked in hook.requests:
        assert msgspec.json.decode(asked.body) == {
            "text": "hello", "subject": "", "run": "run_1", "visit": "n", "key": "key-run_1-n",
        }  # fmt: skip


async def test_a_webhook_of_a_document_is_held_to_the_egress_rules() -> None:
    async with CheckedClient() as client:
        refused, asked = await fault(job("http://127.0.0.1:9/hook"), tools_of(http=client))
    assert refused.code == "egress_refused"
    assert asked == ["intend notify", "settle"]


@pytest.mark.parametrize(
    ("status", "code"), [("404 Not Found", "notify_failed"), ("429 Many", "notify_failed"), ("502 Bad", "uncertain")]
)
async def test_a_webhook_that_refuses_did_not_take_it_and_one_that_breaks_may_have(
    hook: Peer, tools: Tools, status: str, code: str
) -> None:
    hook.answer("/hook", b"no", status)
    assert (await fault(job("slack:ops"), tools))[0].code == code


async def test_a_redirect_of_a_webhook_is_not_followed(hook: Peer, tools: Tools) -> None:
    hook.redirect("/hook", "/elsewhere")
    assert (await fault(job("slack:ops"), tools))[0].code == "notify_failed"
    assert hook.paths() == ["/hook?token=secret"]


async def test_other_channels_are_told_by_name_through_apprise(hook: Peer, tools: Tools) -> None:
    output, _ = await told(job("apprise:json", subject="Order"), tools)
    assert output["channel"] == "apprise"
    (asked,) = hook.requests
    assert b"hello" in asked.body


@pytest.mark.parametrize("to", ["slack:nowhere", "webhook:nowhere", "apprise:nowhere"])
async def test_a_name_that_the_home_does_not_know_is_said(tools: Tools, to: str) -> None:
    refused, _ = await fault(job(to), tools)
    assert (refused.code, refused.transient) == ("target_unknown", False)
    assert "[notify.targets] nowhere" in refused.detail["hint"]


@pytest.mark.parametrize("to", ["discord://id/token", "slack:https://hooks.slack.com/x", "tgram://bot/chat", "slack:"])
async def test_a_document_carries_no_url_of_a_channel(tools: Tools, to: str) -> None:
    refused, _ = await fault(job(to), tools)
    assert (refused.code, refused.transient) == ("target_invalid", False)


async def test_a_target_that_apprise_does_not_know_is_said(tools: Tools) -> None:
    assert (await fault(job("apprise:odd"), tools))[0].code == "target_invalid"


async def test_what_an_earlier_attempt_told_is_not_told_again(sink: Sink, tools: Tools) -> None:
    asked = job("mailto:ann@example.com")
    output = await perform(asked, Asked(asked, {1: {"to": "mailto:ann@example.com", "channel": "mailto"}}), tools)
    assert output == {"to": "mailto:ann@example.com", "channel": "mailto"}
    assert sink.mails == []


async def test_a_text_over_the_limit_is_refused(tools: Tools) -> None:
    assert (await fault(job("slack:ops", "x" * 70_000), tools))[0].code == "target_invalid"
