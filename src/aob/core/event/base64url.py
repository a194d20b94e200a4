"""Base64url of RFC 4648 section 5, without padding."""

import base64


def text_of(data: bytes) -> str:
    """Encode bytes."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def bytes_of(text: str) -> bytes:
    """Decode a text. Raises ValueError for any invalid character: none is skipped."""
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
