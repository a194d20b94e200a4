"""`notify`: sends a job's text to people: mail and other channels by apprise, webhooks by the checked client. Documents
contain no secret and no server address: the SMTP server and the URLs behind names are the home's."""

import asyncio
import importlib
import logging
import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from aob.core.node import NotifyConfig
from aob.core.node.template import fill_text
from aob.core.value import canonical
from aob.ports.workers import Job
from aob.work.effect import acted
from aob.work.job import Context, WorkError, permanent
from aob.work.kinds.http import filled_url, values
from aob.work.secrets import NO_MASK, Mask

if TYPE_CHECKING:
    from apprise import Apprise

    from aob.work.tools import Tools

TEXT_MAX: Final = 64 * 1024
RECIPIENTS_MAX: Final = 20
_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NOT_TAKEN: Final = re.compile(
    r"\([45]\d\d, |Connection refused|Name or service not known|name resolution|unreachable|No route|certificate", re.I
)
"""What apprise logs when the message was certainly not accepted: refused by the server, or server unreachable."""


async def perform(job: Job, ctx: Context, tools: "Tools") -> object:
    """Return `{to, channel}` once sent. Raises WorkError `notify_failed`, `target_unknown`, `target_invalid`,
    `extra_missing`, `smtp_missing`, what the client raises, or `uncertain`."""
    job.pulse()
    config: NotifyConfig = job.task.config
    named = values(job)
    text, subject = fill_text(config.text, named), " ".join(fill_text(config.subject, named).split())
    if len(text) > TEXT_MAX:
        raise _invalid(f"a text of {len(text)} characters is over the limit of {TEXT_MAX}")
    channel = config.to.partition(":")[0]
    if channel in {"http", "https"}:
        to = filled_url(config.to, named)
        shown = to.partition("?")[0]
    else:
        to = shown = fill_text(config.to, named)
        channel = to.partition(":")[0]
    what = {"to": shown, "subject": subject, "text": text[:2_000]}

    async def act() -> object:
        payload = {"text": text, "subject": subject, "run": job.run, "visit": job.visit, "key": job.key}
        await send(tools, to, subject, text, payload, job.key)
        return {"to": shown, "channel": channel}

    return await acted(job, ctx, "notify", what, act)


async def send(tools: "Tools", to: str, subject: str, text: str, payload: Mapping[str, object], key: str) -> None:
    """Notify one target, once, as nodes do: `mailto:ADDRESS`, a URL, `webhook:NAME`, `slack:NAME`, or another channel
    by name. `payload` is what a webhook gets. Raises WorkError as `perform`."""
    channel, _, rest = to.partition(":")
    if channel == "mailto":
        await _mail(tools, addresses(rest), subject, text)
    elif channel in {"http", "https"}:
        await _post(tools, key, filled_url(to, {}), payload)
    elif channel == "webhook":
        url, mask = _url(tools, rest)
        await _post(tools, key, url, payload, mask)
    elif channel == "slack":
        url, mask = _url(tools, rest)
        await _post(tools, key, url, {"text": f"*{subject}*\n{text}" if subject else text}, mask)
    else:
        url, mask = _url(tools, rest)
        await _tell(url, subject, text, "the channel", mask)


def addresses(text: str) -> list[str]:
    """The mail addresses of a target, one or more by comma. Raises WorkError `target_invalid` (permanent)."""
    found = [part.strip() for part in text.split(",") if part.strip()]
    bad = [address for address in found if not _ADDRESS.fullmatch(address)]
    if bad or not found or len(found) > RECIPIENTS_MAX:
        why = f"{bad[0][:80]!r} is not a mail address" if bad else f"1 to {RECIPIENTS_MAX} mail addresses are needed"
        raise _invalid(why)
    return found


def _url(tools: "Tools", name: str) -> tuple[str, Mask]:
    """The URL behind a name, with its secrets filled in, and the mask that removes them from answers."""
    if not _NAME.fullmatch(name):
        raise _invalid(f"{name[:40]!r} is not the name of a target: a document names one and carries no URL of its own")
    url = tools.targets.get(name)
    if url is None:
        hint = f'add it to HOME/aob.toml: [notify.targets] {name} = "URL"'
        raise permanent(f"the home knows no target {name!r}", code="target_unknown", target=name, sent=False, hint=hint)
    return tools.vault.expand(url, url=True)


async def _post(tools: "Tools", key: str, url: str, payload: Mapping[str, object], mask: Mask = NO_MASK) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    try:
        answer = await tools.http.request("POST", url, headers=headers, content=canonical(payload), redirects=0)
    except WorkError as error:
        raise mask.error(error) from None
    if not 200 <= answer.status < 300:
        raise WorkError(
            f"the webhook answered {answer.status}",
            code="notify_failed",
            transient=answer.status >= 500 or answer.status in {408, 429},
            detail={
                "status": answer.status,
                "body": mask.data(answer.body)[:500].decode("utf-8", "replace"),
                "sent": answer.status >= 500 or answer.status == 408,
            },
        )


async def _mail(tools: "Tools", to: list[str], subject: str, text: str) -> None:
    smtp = tools.smtp
    if smtp is None:
        hint = 'add it to HOME/aob.toml: [smtp] host = "mail.example.com", sender = "..."'
        raise permanent("the home has no SMTP server", code="smtp_missing", sent=False, hint=hint)
    user, user_mask = tools.vault.expand(smtp.user, smtp.host)
    password, mask = tools.vault.expand(smtp.password, smtp.host)
    # Passed as parts and not as a URL: then nothing in an address can become an option of the connection.
    target = {
        "schema": "mailto",
        "host": smtp.host,
        "smtp_host": smtp.host,
        "port": smtp.port,
        "user": user or None,
        "password": password or None,
        "from_addr": smtp.sender,
        "secure_mode": {"none": "insecure", "starttls": "starttls", "tls": "ssl"}[smtp.security],
        "targets": to,
    }
    await _tell(target, subject, text, f"{smtp.host}:{smtp.port}", mask or user_mask)


async def _tell(target: object, subject: str, text: str, where: str, mask: Mask) -> None:
    sender = await asyncio.to_thread(_sender, target)
    result = await sender.async_notify(body=text, title=subject, body_format="text", log_level=logging.DEBUG)
    if not result:
        reason = mask.text("; ".join(_reasons(result)))[:1_000] or "no reason was given"
        why = f"{where} did not take the message: {reason}"
        raise WorkError(why, code="notify_failed", detail={"reason": reason, "sent": not _NOT_TAKEN.search(reason)})


def _reasons(result: object) -> list[str]:
    found = []
    for one in getattr(result, "results", ()):
        logs = getattr(one, "logs", ())
        found += [str(getattr(entry, "message", entry)) for entry in (logs() if callable(logs) else logs)]
    return found


def _sender(target: object) -> "Apprise":
    """An apprise with one target. In a thread: apprise imports what each kind of target needs, slowly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            apprise = importlib.import_module("apprise")
        except ImportError as error:
            why = "mail and other channels need the extra `notify`"
            hint = "pip install 'agentic-orchestration-builder[notify]'"
            raise permanent(why, code="extra_missing", extra="notify", sent=False, hint=hint) from error
        # It logs its reasons at level DEBUG; they go into the fault, not into the shared log.
        log = logging.getLogger("apprise")
        if log.level == logging.NOTSET:
            log.setLevel(logging.DEBUG)
            log.propagate = False
        asset = apprise.AppriseAsset(app_id="AOB")
        try:
            plugin = apprise.Apprise.instantiate(target, asset=asset, suppress_exceptions=False)
        except Exception as error:
            raise _invalid(f"apprise cannot use the target: {type(error).__name__}") from error
    if plugin is None:
        raise _invalid("apprise does not know this kind of target")
    sender: Apprise = apprise.Apprise(asset=asset)
    sender.add(plugin)
    return sender


def _invalid(message: str) -> WorkError:
    return permanent(message, code="target_invalid", sent=False)
