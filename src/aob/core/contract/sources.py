"""Reads contract files (texts by name, YAML or JSON) into a set, and locates problems of the set in the files."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from aob.core.contract.document import key_of
from aob.core.contract.draft import Draft
from aob.core.contract.reading import read_alert, read_event, read_metric, read_slo
from aob.core.contract_model import AlertContract, Contract, ContractSet, EventContract, MetricContract, Slo
from aob.core.document import PROBLEMS_MAX, Places, Text, Tree, Value, form_of, located, read_text
from aob.core.document.places import written
from aob.core.errors import AobError, Invalid, Malformed, Problem

FILE_CHARS_MAX: Final = 4 * 1024 * 1024
_READERS: Final[Mapping[str, Callable[[Draft], Contract | None]]] = {
    "alert": read_alert,
    "slo": read_slo,
    "metric": read_metric,
    "event": read_event,
}
_UNREADABLE: Final = re.compile(r"line (\d+)(?:, column (\d+))?: ")


class _Piece(msgspec.Struct, frozen=True):
    """One contract of a file: its object, its path in the document, the document's number if there are several."""

    file: str
    tree: Value
    inner: str
    outer: str
    places: Places

    def placed(self, problems: Iterable[Problem], draft: Draft | None = None) -> list[Problem]:
        """Convert problems of the contract to problems of the file."""
        found: list[Problem] = []
        for each in problems:
            path = self.inner + (written(each.path, draft.renames) if draft is not None else each.path)
            caret = "" if draft is not None and each.path in draft.short else each.caret
            [placed] = located([msgspec.structs.replace(each, path=path, caret=caret)], self.places)
            name = f"{self.file}#{self.outer}{path}"
            found.append(msgspec.structs.replace(placed, path=name, caret=each.caret))
        return sorted(found, key=lambda each: (each.line, each.column))


class Sources:
    """Contracts and their positions in files. `set` holds the readable ones, `problems` those of the rest."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._pieces: dict[str, tuple[_Piece, Draft | None]] = {}
        self._read: dict[str, Contract] = {}
        self.problems: list[Problem] = []
        for name in sorted(files):
            for piece in self._pieces_of(name, files[name]):
                if len(self.problems) >= PROBLEMS_MAX:
                    break
                self._take(piece)
        if not self._read and not self.problems:
            self.problems.append(Problem("", "there is no contract", "missing", hint="event: order.created"))
        self.set = set_of(self._read.values())

    def located(self, problems: Sequence[Problem]) -> list[Problem]:
        """Problems of the set (path `kind/name@version#/pointer`) with files, lines and columns, by file and line."""
        by_key: dict[str, list[Problem]] = {}
        for each in problems:
            key, _, pointer = each.path.partition("#")
            by_key.setdefault(key, []).append(msgspec.structs.replace(each, path=pointer))
        found: list[Problem] = []
        for key, mine in by_key.items():
            known = self._pieces.get(key)
            if known is not None:
                found += known[0].placed(mine, known[1])
            else:  # a contract in no file: known before
                found += [msgspec.structs.replace(each, path=f"{key}#{each.path}") for each in mine]
        return sorted(found, key=lambda each: (each.path.partition("#")[0], each.line, each.column))

    def text(self, contract: Contract) -> Tree | None:
        """The source text of a contract, or None when it is not from these files."""
        known = self._pieces.get(key_of(contract))
        return known[0].tree if known is not None else None

    def file(self, contract: Contract) -> str:
        """The name of the file of a contract, empty when it is not from these files."""
        known = self._pieces.get(key_of(contract))
        return known[0].file if known is not None else ""

    def _take(self, piece: _Piece) -> None:
        if not isinstance(piece.tree, dict):
            self.problems += piece.placed([Problem("", "a contract is an object", "bad_type")])
            return
        kind = kind_of_tree(piece.tree)
        if kind is None:
            hint = "begin with event:, metric:, alert: or slo:"
            self.problems += piece.placed([Problem("", "this names no contract", "missing", hint=hint)])
            return
        draft = Draft(piece.tree)
        contract = _READERS[kind](draft)
        self.problems += piece.placed(draft.problems, draft)
        if contract is None:
            return
        key = key_of(contract)
        if key in self._read:
            other = self._pieces[key][0].file
            problem = Problem(f"/{kind}", f"{key} stands twice, first in {other}", "duplicate_id")
            self.problems += piece.placed([problem], draft)
            return
        self._read[key] = contract
        self._pieces[key] = (piece, draft)
        if isinstance(contract, MetricContract) and contract.slo is not None:
            inner = msgspec.structs.replace(piece, inner=f"{piece.inner}/slo")
            self._pieces.setdefault(key_of(contract.slo), (inner, None))

    def _pieces_of(self, name: str, text: str) -> Iterator[_Piece]:
        try:
            yield from _pieces(name, text, self.problems)
        except Invalid as error:
            self.problems += [msgspec.structs.replace(each, path=f"{name}#{each.path}") for each in error.problems]
        except AobError as error:
            line, column = int(error.fields.get("line", 0)), int(error.fields.get("column", 0))
            words = _UNREADABLE.sub("", error.detail)
            self.problems.append(Problem(f"{name}#", words, "malformed", line, column, error.hint))


def kind_of_tree(tree: Tree) -> str | None:
    """The kind of contract of an object, by its first key."""
    if isinstance(tree.get("slo"), str):
        return "alert" if "alert" in tree else "slo"
    for kind in ("alert", "metric", "event"):
        if kind in tree:
            return kind
    return "event" if "type" in tree else None


def _pieces(name: str, text: str, problems: list[Problem]) -> Iterator[_Piece]:
    """The contracts of a file. Adds its problems to `problems`. Raises Malformed or Invalid."""
    if len(text) > FILE_CHARS_MAX:
        raise Malformed(f"a file of {len(text):,} characters is over the limit of {FILE_CHARS_MAX:,}")
    text = text.removeprefix("\ufeff")
    documents: list[Text] = []
    for read in read_text(text, form_of(name, text), several=True):
        problems += [msgspec.structs.replace(found, path=f"{name}#{found.path}") for found in read.problems]
        documents.append(read)
    for number, (value, places, _) in enumerate(documents):
        outer = f"/{number}" if len(documents) > 1 else ""
        if isinstance(value, list):
            for index, each in enumerate(value):
                yield _Piece(name, each, f"/{index}", outer, places)
        elif value is not None or len(documents) == 1:
            yield _Piece(name, value, "", outer, places)


def set_of(contracts: Iterable[Contract]) -> ContractSet:
    """A set of these contracts, including the objectives of metrics."""
    events: dict[str, dict[int, EventContract]] = {}
    metrics: dict[str, dict[int, MetricContract]] = {}
    alerts: dict[str, dict[int, AlertContract]] = {}
    slos: dict[str, Slo] = {}
    for each in contracts:
        if isinstance(each, EventContract):
            events.setdefault(each.type, {})[each.version] = each
        elif isinstance(each, MetricContract):
            metrics.setdefault(each.name, {})[each.version] = each
        elif isinstance(each, Slo):
            slos[each.name] = each
        else:
            alerts.setdefault(each.name, {})[each.version] = each
    for versions in metrics.values():
        newest = versions[max(versions)]
        if newest.slo is not None:
            slos.setdefault(newest.slo.name, newest.slo)
    return ContractSet(events, metrics, alerts, slos)


def read_contracts(files: Mapping[str, str]) -> ContractSet:
    """The contracts of these files (text by name). Raises Invalid with every problem of their texts and shapes;
    `check_set` checks whether they fit together."""
    sources = Sources(files)
    if sources.problems:
        raise Invalid("the contracts have problems", sources.problems)
    return sources.set
