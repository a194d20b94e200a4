"""The mail sink: a real SMTP server on loopback that keeps every message as a file and delivers none."""

from email import message_from_bytes, policy
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """Stores each message as `NNNN.eml` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by the server for each message; the name is the server's."""
        content = envelope.content or b""
        data = content if isinstance(content, bytes) else content.encode()
        number = len(list(self.folder.glob("*.eml"))) + 1
        (self.folder / f"{number:04}.eml").write_bytes(data)
        return "250 kept"

    def messages(self) -> list[dict[str, str]]:
        """What came in, oldest first: to, subject, text."""
        return [read_mail(path) for path in sorted(self.folder.glob("*.eml"))]


def read_mail(path: Path) -> dict[str, str]:
    """The parts of one stored message that people look at."""
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    body = message.get_body(("plain", "html"))
    return {
        "file": path.name,
        "to": str(message["to"]),
        "subject": str(message["subject"]),
        "text": str(body.get_content()).strip() if body else "",
    }
