"""Prints for commands: JSON for programs, plain columns for pipes, colours for a terminal, free of control codes."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TextIO

import msgspec

from aob.core.answers import JsonValue

if TYPE_CHECKING:
    from rich.console import Console

STYLES: Final[Mapping[str, str]] = {
    "completed": "green", "approved": "green", "applied": "green", "ok": "green", "recorded": "green",
    "running": "cyan", "ready": "cyan", "computed": "cyan", "assumed": "cyan",
    "waiting": "yellow", "open": "yellow", "proposed": "yellow", "backoff": "yellow", "held": "yellow",
    "failed": "red", "rejected": "red", "expired": "red", "invalid": "red", "unknown": "red", "problem": "red",
    "cancelled": "magenta", "skipped": "dim", "rolled_back": "magenta", "not begun": "dim",
}  # fmt: skip
"""The colour of a state, by its name in lower case."""


class Spinner(Protocol):
    """A progress line."""

    def update(self, status: str) -> None:
        """Change the text."""


class Silent:
    """The spinner of a pipe: prints nothing."""

    def update(self, status: str) -> None:
        """Do nothing."""


class OpeningLine:
    """How far the opening of a home is: a spinner from the first call on, until `close`."""

    def __init__(self, screen: "Screen", home: object) -> None:
        self._screen, self._home, self._stack = screen, home, ExitStack()
        self._spinner: Spinner | None = None

    def __call__(self, opening: object) -> None:
        """Show how far it is."""
        if self._spinner is None:
            self._spinner = self._stack.enter_context(self._screen.waiting("opening"))
        self._spinner.update(f"opening {self._home}: {opening}")

    def close(self) -> None:
        """Remove the spinner. Idempotent."""
        self._stack.close()


class Screen:
    """Where a command prints. `json` prints values only; `err` takes errors and progress."""

    def __init__(self, out: TextIO, err: TextIO, *, json: bool = False, colour: bool | None = None) -> None:
        self.json, self._out, self._err = json, out, err
        self.terminal = out.isatty() if colour is None else colour
        self._console: Console | None = None

    def value(self, value: JsonValue) -> None:
        """A value as JSON: on one line for programs, indented for a terminal."""
        data = msgspec.json.encode(value)
        text = msgspec.json.format(data, indent=2 if self.terminal else -1).decode()
        self._out.write(text + "\n")
        self._out.flush()

    def told(self, value: JsonValue) -> bool:
        """Print a value for programs; returns False for a person, to whom the caller shows it otherwise."""
        if self.json:
            self.value(value)
        return self.json

    def line(self, text: str = "", *, style: str = "") -> None:
        """Print one line unchanged."""
        if self.terminal and style:
            self._rich().print(clean(text), style=style, markup=False, highlight=False, soft_wrap=True)
        else:
            self._out.write(clean(text) + "\n")
            self._out.flush()

    def raw(self, text: str) -> None:
        """Text for a terminal as it is, control codes too."""
        self._out.write(text)

    @property
    def console(self) -> "Console":
        """The terminal, for what draws on it."""
        return self._rich()

    def lines(self, texts: Iterable[str]) -> None:
        """Print lines unchanged."""
        for text in texts:
            self.line(text)

    def note(self, text: str) -> None:
        """A line on standard error, for a person who watches."""
        if not self.json:
            self._err.write(clean(text) + "\n")
            self._err.flush()

    def error(self, text: str) -> None:
        """An error line on standard error."""
        self._err.write(text + "\n")
        self._err.flush()

    def state(self, text: str, state: str) -> None:
        """A line in the colour of a state."""
        self.line(text, style=STYLES.get(state.lower(), ""))

    def diff(self, lines: Iterable[str]) -> None:
        """Lines that begin with + - ~, in their colours."""
        for line in lines:
            self.line(line, style={"+": "green", "-": "red", "~": "yellow"}.get(line.lstrip()[:1], ""))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, none: str = "none") -> None:
        """Rows under headings; a cell that names a state has its colour. `none` is printed when there are no rows."""
        cells = [[clean(cell) for cell in row] for row in rows]
        if not cells:
            self.line(none, style="dim")
        elif self.terminal:
            self._pretty(columns, cells)
        else:
            for row in _aligned([[name.upper() for name in columns], *cells]):
                self._out.write(row + "\n")
            self._out.flush()

    def listing(
        self, value: JsonValue, columns: Sequence[str], rows: Iterable[Sequence[str]], *, none: str = "none"
    ) -> None:
        """A list: its value for programs, a table for a person."""
        if not self.told(value):
            self.table(columns, rows, none=none)

    @contextmanager
    def waiting(self, text: str) -> Iterator[Spinner]:
        """A spinner during a wait; on a terminal only."""
        if self.json or not self._err.isatty():
            yield Silent()
            return
        from rich.console import Console

        with Console(file=self._err).status(text) as status:
            yield status

    def _pretty(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.table import Table
        from rich.text import Text

        widths = [max(_longest_word([name, *cells])) for name, *cells in zip(columns, *rows, strict=True)]
        if sum(widths) + 2 * len(widths) > self._rich().width:
            self._blocks(columns, rows)
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for number, (name, width) in enumerate(zip(columns, widths, strict=True)):
            table.add_column(name, no_wrap=number == 0, overflow="fold", min_width=width)
        for row in rows:
            table.add_row(*(Text(cell, style=STYLES.get(cell.lower(), "")) for cell in row))
        self._rich().print(table)

    def _blocks(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows on a terminal too narrow for their columns: a cell a line, so that words and ids stay whole."""
        width = max(map(len, columns))
        for number, row in enumerate(rows):
            if number:
                self.line()
            for name, cell in zip(columns, row, strict=True):
                if cell:
                    self.state(f"{name.ljust(width)}  {cell}", cell)

    def _rich(self) -> "Console":
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=self._out, force_terminal=True)
        return self._console


def standard_screen(*, json: bool) -> Screen:
    """The screen of this process."""
    return Screen(sys.stdout, sys.stderr, json=json)


def clean(text: str) -> str:
    """Text that is safe for a terminal: control characters are shown as text."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def _longest_word(cells: Sequence[str]) -> Iterator[int]:
    return (len(word) for cell in cells for word in cell.split() or ("",))


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
