"""Make the blocking client from the async one: `python -m tools.make_sync` writes it, a test holds it fresh."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

CLIENT: Final = Path(__file__).resolve().parents[1] / "src" / "aob" / "client"
PAIRS: Final = {
    "async_wire.py": "sync_wire.py",
    "async_made.py": "sync_made.py",
    "async_client.py": "sync_client.py",
    **{f"async_nouns/{path.name}": f"sync_nouns/{path.name}" for path in sorted((CLIENT / "async_nouns").glob("*.py"))},
}
PROMISE: Final = "Made from {source} by `python -m tools.make_sync`: edit that one."
WORDS: Final = {
    r"\basync def\b": "def",
    r"\basync with\b": "with",
    r"\basync for\b": "for",
    r"\bawait ": "",
    r"\basyncio\.sleep\b": "time.sleep",
    r"\bimport asyncio\b": "import time",
    r"\bAsyncIterator\b": "Iterator",
    r"\bAsyncWire\b": "Wire",
    r"\bAsyncClient\b": "Client",
    r"\bAsyncBaseTransport\b": "BaseTransport",
    r"\basync_wire\b": "sync_wire",
    r"\basync_nouns\b": "sync_nouns",
    r"\basync_made\b": "sync_made",
    r"\baiter_bytes\b": "iter_bytes",
    r"\baread\b": "read",
    r"\baclose\b": "close",
    r"\b__aenter__\b": "__enter__",
    r"\b__aexit__\b": "__exit__",
}


def made(source: str) -> str:
    """The blocking text of an async file, formatted."""
    text = (CLIENT / source).read_text(encoding="utf-8")
    for word, instead in WORDS.items():
        text = re.sub(word, instead, text)
    head, _, rest = text.partition('"""\n')
    if "\n" in head:
        head = f"{head}\n{PROMISE.format(source=source)}\n"
    else:
        head = f"{head}\n\n{PROMISE.format(source=source)}\n"
    return tidy(f'{head}"""\n{rest}', PAIRS[source])


def tidy(text: str, name: str) -> str:
    """Ordered and formatted as all files are."""
    order = ["check", "--select", "I,UP028,F401", "--fix", "--unsafe-fixes", "--quiet"]
    for command in (order, ["format", "--quiet"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(CLIENT / name), "-"],
            input=text, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    return text


def main() -> None:
    """Write every file."""
    for source, target in PAIRS.items():
        (CLIENT / target).parent.mkdir(exist_ok=True)
        (CLIENT / target).write_text(made(source), encoding="utf-8")


if __name__ == "__main__":
    main()
