"""Whether data written by one Avro schema can be read by another: the rules of schema resolution of Avro 1.12."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from aob.core.schema.avro import MISSING, Node
from aob.core.schema.model import FAULTS_MAX, Budget, Fault, TooMuch, too_much

_PROMOTED: Final = {
    "int": frozenset({"long", "float", "double"}), "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}), "string": frozenset({"bytes"}), "bytes": frozenset({"string"}),
}  # fmt: skip
NAMED: Final = frozenset({"record", "enum", "fixed"})


def avro_faults(reader: Node, writer: Node, budget: Budget | None = None) -> list[Fault]:
    """The reasons why `reader` cannot read what `writer` writes; none when it can."""
    try:
        return list(islice(_Resolution(budget or Budget()).faults(reader, writer, ""), FAULTS_MAX))
    except (TooMuch, RecursionError):
        return [too_much()]


class _Resolution:
    """The pairs of named types that are under way: a recursive type is compared once."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._seen: set[tuple[int, int]] = set()

    def faults(self, reader: Node, writer: Node, path: str) -> Iterator[Fault]:
        """The faults of a pair of types."""
        self._budget.spend()
        key = (id(reader), id(writer))
        if key in self._seen:
            return
        if reader.kind in NAMED:
            self._seen.add(key)
        if writer.kind == "union":
            for at, branch in enumerate(writer.inner):
                yield from (
                    Fault(each.path, f"branch {at} of what was written: {each.message}")
                    for each in self.faults(reader, branch, path)
                )
        elif reader.kind == "union":
            yield from self._union(reader, writer, path)
        elif not matches(reader, writer):
            yield Fault(path, f"what was written as {_label(writer)} cannot be read as {_label(reader)}")
        else:
            yield from self._inside(reader, writer, path)

    def _union(self, reader: Node, writer: Node, path: str) -> Iterator[Fault]:
        # Some readers take the branch of the same full name, some the first that matches: both must do.
        found = [at for at, each in enumerate(reader.inner) if matches(each, writer)]
        exact = [at for at in found if (reader.inner[at].kind, reader.inner[at].name) == (writer.kind, writer.name)]
        if not found:
            yield Fault(path, f"no branch of the union reads what was written as {_label(writer)}")
        for at in sorted({*found[:1], *exact[:1]}):
            yield from self.faults(reader.inner[at], writer, f"{path}/{at}")

    def _inside(self, reader: Node, writer: Node, path: str) -> Iterator[Fault]:
        if reader.logical != writer.logical and reader.logical and writer.logical:
            yield Fault(
                path, f"a decimal {writer.logical[1:]} cannot be read as {reader.logical[1:]} (precision, scale)"
            )
        if reader.kind in ("array", "map"):
            key = "items" if reader.kind == "array" else "values"
            yield from self.faults(reader.inner[0], writer.inner[0], f"{path}/{key}")
        elif reader.kind == "fixed" and reader.size != writer.size:
            yield Fault(f"{path}/size", f"{writer.size} bytes were written, {reader.size} would be read")
        elif reader.kind == "enum" and reader.default is MISSING:
            gone = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
            if gone:
                yield Fault(f"{path}/symbols", f"{', '.join(gone[:8])} may have been written, and there is no default")
        elif reader.kind == "record":
            yield from self._record(reader, writer, path)

    def _record(self, reader: Node, writer: Node, path: str) -> Iterator[Fault]:
        written = {field.name: field for field in writer.fields}
        taken = {field.name for field in reader.fields}  # each written field is read by one field, its own name first
        for at, field in enumerate(reader.fields):
            here = f"{path}/fields/{at}"
            aliases = [name for name in field.aliases if name in written and name not in taken]
            taken.update(aliases)
            found = [written[name] for name in (field.name, *aliases) if name in written]
            if len(found) > 1:
                names = " and ".join(each.name for each in found)
                yield Fault(here, f"{names} were both written, and are one field now")
            elif found:
                yield from self.faults(field.type, found[0].type, f"{here}/type")
            elif field.default is MISSING:
                yield Fault(here, f"{field.name} was not written, and has no default")


def matches(reader: Node, writer: Node) -> bool:
    """Whether two types match by themselves, whatever is in them: named ones by their last name, or an alias."""
    if reader.kind != writer.kind:
        return reader.kind in _PROMOTED.get(writer.kind, ())
    if reader.kind not in NAMED:
        return True
    last = writer.name.rpartition(".")[2]
    return last == reader.name.rpartition(".")[2] or any(
        alias == writer.name or alias.rpartition(".")[2] == last for alias in reader.aliases
    )


def _label(node: Node) -> str:
    return f"{node.kind} {node.name}" if node.name else node.kind
