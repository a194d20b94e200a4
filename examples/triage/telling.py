"""What happens in, what is seen out: colours and a table that fills on a terminal, plain lines in a pipe, or JSON lines
for programs."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

BAR: Final = "█"
BAR_CHARS: Final = 16
EXAMPLE_CHARS: Final = 24


class Telling:
    """One telling of the story. People read lines and tables, programs (`as_json`) facts."""

    def __init__(self, console: Console, *, as_json: bool = False) -> None:
        self._console, self._json, self._number = console, as_json, 0
        self.asks = not as_json
        """Whether there may be a person to ask."""

    def act(self, title: str) -> None:
        """The title of what follows."""
        self._number += 1
        if not self._json:
            self._console.print(f"\n[bold]{self._number}. {title}[/]")

    def line(self, text: str) -> None:
        """A line for people, in rich markup."""
        if not self._json:
            self._console.print(f"  {text}")

    def fact(self, name: str, /, **facts: Any) -> None:
        """What happened, for programs."""
        if self._json:
            self._console.file.write(json.dumps({"fact": name, **facts}) + "\n")
            self._console.file.flush()

    def table(self, bookings: Iterable[Mapping[str, Any]]) -> None:
        """The books of the desks as they are, once: in a pipe, or when the table does not fill any more."""
        if not self._json:
            self._console.print(books(bookings))

    def filling(self) -> Live | None:
        """A table that is drawn anew as it fills; None where nobody looks at it."""
        if self._json or not self._console.is_terminal:
            return None
        return Live(console=self._console, auto_refresh=False, transient=True)


def books(bookings: Iterable[Mapping[str, Any]]) -> Table:
    """A line a desk: how many questions, how many of them of regular visitors, the newest."""
    count, high, newest = Counter[str](), Counter[str](), dict[str, str]()
    for booking in sorted(bookings, key=lambda one: (str(one["visitor"]), int(one["nth"]))):
        desk = str(booking["desk"])
        count[desk] += 1
        high[desk] += booking["priority"] == "high"
        newest[desk] = f"{booking['visitor']}: {booking['text']}"
    table = Table("desk", "booked", "of regulars", "", "for example", box=None, padding=(0, 1), header_style="dim")
    for column in table.columns:
        column.no_wrap = True
    scale = max(1.0, max(count.values(), default=0) / BAR_CHARS)
    for desk in sorted(count):
        bar = BAR * max(1, round(count[desk] / scale))
        table.add_row(desk, str(count[desk]), str(high[desk]), f"[green]{bar}[/]", escape(shortened(newest[desk])))
    return table


def shortened(text: str) -> str:
    """A text that does not make its column crowd out the others."""
    return text if len(text) <= EXAMPLE_CHARS else text[: EXAMPLE_CHARS - 1] + "…"
