"""Bytes as text that may stand in a URL: RFC 4648 section 5 (base64url), without padding."""

import base64


def text_of(data: bytes) -> str:
    """The text of bytes."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def bytes_of(text: str) -> bytes:
    """The bytes of a text. Raises ValueError for a character that no text of bytes has: none is passed over."""
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
