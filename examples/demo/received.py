"""What the mail sink and the webhook receiver kept, read back from their files."""

import json
from email import message_from_bytes, policy
from pathlib import Path


def mails(folder: Path) -> list[dict[str, str]]:
    """The mails, oldest first: to, subject, text."""
    return [_mail(path) for path in sorted((folder / "mail").glob("*.eml"))]


def posts(folder: Path) -> list[dict[str, str]]:
    """The posts, oldest first: path, body."""
    return [json.loads(path.read_text()) for path in sorted((folder / "hooks").glob("*.json"))]


def _mail(path: Path) -> dict[str, str]:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    body = message.get_body(("plain", "html"))
    text = str(body.get_content()).strip() if body else ""
    return {"to": str(message["to"]), "subject": str(message["subject"]), "text": text}
