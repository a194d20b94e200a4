"""Signed links: the right of the bearer to make one decision on one ticket until it expires. Reads no clock."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import ClassVar, Final

import msgspec

from aob.core.errors import Refused
from aob.core.event.position import bytes_of, text_of

TOKEN_MAX: Final = 2_048
_DOMAIN: Final = b"aob.link.1\0"


class Link(msgspec.Struct, frozen=True, array_like=True):
    """What a link allows: these choices on this ticket, before `expires_ms`. `to` is the recipient. `key` is the id of
    the key that made it: revoking the key revokes the link. The home's own notices have none. `HELD_MS` is the validity
    of a link to a ticket without a deadline; `TO_MAX` limits the length of `to`."""

    HELD_MS: ClassVar[int] = 7 * 86_400_000
    TO_MAX: ClassVar[int] = 200

    tenant: str
    ticket_id: str
    choices: tuple[str, ...]
    expires_ms: int
    to: str = ""
    key: str = ""


def sign_link(secret: bytes, link: Link) -> str:
    """The token of a link: its content and its HMAC-SHA256."""
    payload = msgspec.msgpack.encode(link)
    return f"{text_of(payload)}.{text_of(_mac(secret, payload))}"


def open_link(secrets: Iterable[bytes], token: str, *, now_ms: int) -> Link:
    """Verify a token, which one of the secrets has signed. Raises Refused: `bad_link` for a wrong signature,
    `link_expired` after its time."""
    body, _, mac = token[:TOKEN_MAX].partition(".")
    try:
        payload = _bytes(body)
        # Compared before parsing, and in constant time.
        given = _bytes(mac)
        if not any(hmac.compare_digest(_mac(secret, payload), given) for secret in secrets):
            raise ValueError("signature")
        link = msgspec.msgpack.decode(payload, type=Link)
    except (ValueError, msgspec.MsgspecError) as error:
        why = "this link was not made by this server"
        raise Refused(why, code="bad_link", hint="open the link exactly as it was sent") from error
    if now_ms >= link.expires_ms:
        why = "this link has expired"
        raise Refused(why, code="link_expired", hint=f"decide by: aob approve {link.ticket_id} approve|reject")
    return link


def _mac(secret: bytes, payload: bytes) -> bytes:
    return hmac.digest(secret, _DOMAIN + payload, hashlib.sha256)


def _bytes(text: str) -> bytes:
    data = bytes_of(text)
    if text_of(data) != text:  # decoders accept `+` for `-`, and any spare bits at the end
        raise ValueError("not as it was written")
    return data
