"""Sends committed events to subscribed URLs as signed messages, in order and without gaps."""

from aob.fanout.webhooks.law import HookLaw
from aob.fanout.webhooks.notices import Chunk, Feed, Notice, feeds_of, notice, notice_of
from aob.fanout.webhooks.posting import Poster
from aob.fanout.webhooks.rules import Rules
from aob.fanout.webhooks.secret import SecretFolder, Secrets
from aob.fanout.webhooks.webhooks import Webhooks

__all__ = [
    "Chunk", "Feed", "HookLaw", "Notice", "Poster", "Rules", "SecretFolder", "Secrets", "Webhooks", "feeds_of",
    "notice", "notice_of",
]  # fmt: skip
