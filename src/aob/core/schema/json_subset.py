"""Whether every value that one JSON Schema accepts is accepted by another. What says yes is sure; what cannot be
decided within the limits says no, and why."""

from typing import Final

from aob.core.document.shape import Tree, Value
from aob.core.json_schema import Checker, Unusable, checker_of
from aob.core.schema.json_bundle import DATA
from aob.core.schema.json_parts import (
    NOTES,
    Document,
    Part,
    Undecided,
    flat,
    items_of,
    kind_of,
    members_of,
    same,
    types_of,
)
from aob.core.schema.json_rules import GROUPS, RULES, Known, is_low, matches_pattern
from aob.core.schema.model import FAULTS_MAX, Budget, Fault, TooMuch, too_much
from aob.core.value import canonical

BYTES_PER_STEP: Final = 200
VALUES_MAX: Final = 1_000
DEPTH_MAX: Final = 60
UNIONS: Final = ("anyOf", "oneOf")
ROOT: Final = "aob:root"


def json_faults(reader: Value, writer: Value, budget: Budget | None = None) -> list[Fault]:
    """The reasons why values of `writer` may be refused by `reader`; none when all are accepted."""
    mine, theirs = Document(reader, b"reader "), Document(writer, b"writer ")
    if reader == writer:
        return []
    if mine.opaque or theirs.opaque:
        return [Fault("", "schemas with `$id` or dynamic references inside are compared as a whole, and they differ")]
    comparison = Comparison(budget or Budget())
    try:
        return comparison.faults((theirs.part(writer, ""),), mine.part(reader, ""))[:FAULTS_MAX]
    except (TooMuch, RecursionError):
        return [too_much()]


class Comparison:
    """One comparison: the pairs that hold if all others do, and the steps that were taken."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._checkers: dict[bytes, Checker] = {}
        self._trail: list[tuple[frozenset[bytes], bytes]] = []
        self._assumed: set[tuple[frozenset[bytes], bytes]] = set()
        self._depth = 0

    def spend(self, steps: int = 1) -> None:
        """Count steps. Raises TooMuch."""
        self._budget.spend(steps)
        if self._depth > DEPTH_MAX:
            raise TooMuch

    def faults(self, written: tuple[Part, ...], reader: Part) -> list[Fault]:
        """The faults of values that all of `written` accept."""
        self.spend(1 + len(written))
        if reader.schema is True or reader.schema == {} or any(same(each, reader) for each in written):
            return []
        pair = (frozenset(each.key for each in written), reader.key)
        if pair in self._assumed:
            return []
        before = len(self._trail)
        self._trail.append(pair)
        self._assumed.add(pair)
        self._depth += 1
        try:
            found = self._compared([part for each in written for part in flat(each)], reader)
        except Undecided as error:
            found = [Fault(reader.path, str(error))]
        finally:
            self._depth -= 1
        if found:  # what was found to hold meanwhile may have held only because of this pair
            self._assumed.difference_update(self._trail[before:])
            del self._trail[before:]
        return found

    def _compared(self, written: list[Part], reader: Part) -> list[Fault]:
        if any(each.schema is False for each in written) or not self.types(written):
            return []
        parts = flat(reader)
        found = [fault for part in parts for fault in self._part(written, part)]
        if not found:
            return []
        for at, each in enumerate(written):
            union = next((key for key in UNIONS if key in each.schema), "") if isinstance(each.schema, dict) else ""
            if union:
                return self._branches(written, at, union, reader)
        kinds = self.types(written)
        if len(kinds) > 1 and any(isinstance(each.schema, dict) and set(UNIONS) & each.schema.keys() for each in parts):
            by_type = [self.faults((*written, reader.at({"type": kind})), reader) for kind in sorted(kinds)]
            return next(filter(None, by_type), [])
        return found

    def _branches(self, written: list[Part], at: int, union: str, reader: Part) -> list[Fault]:
        part = written[at]
        others = [*written[:at], *written[at + 1 :]]
        rest = {key: each for key, each in part.schema.items() if key != union}
        kept = [*others, part.document.part(rest, part.path)] if rest.keys() - NOTES else others
        for number, branch in enumerate(part.schema[union]):
            found = self.faults((*kept, part.at(branch, union, number)), reader)
            if found:
                return found
        return []

    def _part(self, written: list[Part], reader: Part) -> list[Fault]:
        schema = reader.schema
        if schema is True or any(same(each, reader) for each in written):
            return []
        if schema is False:
            return [Fault(reader.path, "nothing is accepted here, and something may have been written")]
        values = self.values(written)
        if values is not None:
            wrong = [value for value in values if not self.holds(reader, value)]
            return [Fault(reader.path, f"{canonical(wrong[0]).decode()[:60]} may have been written")] if wrong else []
        kinds, found = self.types(written), list[Fault]()
        done = set[str]()
        for key in schema:
            rule = RULES.get(key)
            if rule is None or key in done or not (rule.types & kinds):
                continue
            done |= rule.keys
            if not (rule.keys & GROUPS and self._said_too(written, reader, rule.keys)):
                found += rule.judge(Known(self, written, reader, kinds), key)
        return found

    def _said_too(self, written: list[Part], reader: Part, keys: frozenset[str]) -> bool:
        """Whether what was written says the same under these keywords."""
        mine = _only(reader, keys)
        return any(isinstance(each.schema, dict) and same(mine, _only(each, keys)) for each in written)

    # -- what is known of what was written ------------------------------------------------------------------------

    def types(self, written: list[Part]) -> frozenset[str]:
        """The types of values that all accept."""
        found = types_of(written[0]) if written else types_of(_ANYTHING)
        for each in written[1:]:
            found &= types_of(each)
        return found

    def values(self, written: list[Part]) -> list[Value] | None:
        """All values that may have been written, when they are listed; else None."""
        listed = next((found for each in written if (found := _listed(each.schema)) is not None), None)
        if listed is None:
            kinds = self.types(written)
            if kinds - {"null", "boolean"}:
                return None
            listed = [value for value in (None, True, False) if kind_of(value) in kinds]
        if len(listed) > VALUES_MAX:
            raise Undecided(f"more than {VALUES_MAX:,} values are listed")
        return [value for value in listed if all(self.holds(each, value) for each in written)]

    def holds(self, part: Part, value: Value) -> bool:
        """Whether a schema accepts a value."""
        if isinstance(part.schema, bool):
            return part.schema
        listed = _listed(part.schema)
        if listed is not None and isinstance(value, str) and not part.schema.keys() - NOTES - {"const", "enum", "type"}:
            return value in listed and "string" in types_of(part)
        self.spend()
        if part.key not in self._checkers:
            self._checkers[part.key] = self._checker(part)
        return self._checkers[part.key].is_valid(value)

    def _checker(self, part: Part) -> Checker:
        """What checks values by a schema within its document. Raises Undecided."""
        root = part.document.root
        whole: Tree = {key: each for key, each in part.schema.items() if key not in ("$schema", "$id")}
        if b'"$ref":' in part.key:
            whole = _moved(whole)
            whole["$defs"] = {ROOT: _moved({key: each for key, each in root.items() if key not in ("$schema", "$id")})}
        if isinstance(root, dict) and "$schema" in root:
            whole["$schema"] = root["$schema"]
        raw = canonical(whole)
        self.spend(1 + len(raw) // BYTES_PER_STEP)
        made = checker_of(raw)
        if isinstance(made, Unusable):
            raise Undecided(f"values cannot be checked: {made.words}")
        return made

    def member(self, written: list[Part], name: str) -> tuple[Part, ...]:
        """What a member of this name must be."""
        found: list[Part] = []
        for each in written:
            if not isinstance(each.schema, dict):
                continue
            named, patterns, rest = members_of(each)
            matched = [pattern for pattern in patterns if matches_pattern(pattern, name)]
            if name in named:
                found.append(each.at(named[name], "properties", name))
            found += [each.at(patterns[pattern], "patternProperties", pattern) for pattern in matched]
            if name not in named and not matched and rest is not True:
                found.append(each.at(rest, "additionalProperties"))
        return tuple(found)

    def item(self, written: list[Part], at: int) -> tuple[Part, ...]:
        """What the item at an index must be; the index -1 is any after those that are listed."""
        found: list[Part] = []
        for each in written:
            if isinstance(each.schema, dict):
                first, rest = items_of(each)
                found.append(each.at(first[at] if 0 <= at < len(first) else rest, "items"))
        return tuple(found)

    def required(self, written: list[Part]) -> frozenset[str]:
        """The members that every object has."""
        needed = (each.schema.get("required", ()) for each in written if isinstance(each.schema, dict))
        return frozenset(name for names in needed if isinstance(names, list) for name in names)

    def apart(self, written: list[Part], other: Part) -> bool:
        """Whether surely no value is accepted by both."""
        both = [*written, *flat(other)]
        if any(each.schema is False for each in both) or not self.types(both):
            return True
        if (values := self.values(both)) is not None:
            return not values
        kinds = self.types(both)
        if kinds == {"number"}:
            return is_low(both)
        if kinds != {"object"}:
            return False
        return any(self._never([part for each in self.member(both, name) for part in flat(each)])
                   for name in sorted(self.required(both)))  # fmt: skip

    def _never(self, member: list[Part]) -> bool:
        if any(each.schema is False for each in member) or not self.types(member):
            return True
        return self.values(member) == []


_ANYTHING: Final = Document(True).part(True, "")


def _only(part: Part, keys: frozenset[str]) -> Part:
    return part.document.part({key: each for key, each in part.schema.items() if key in keys}, part.path)


def _listed(schema: Value) -> list[Value] | None:
    if not isinstance(schema, dict):
        return None
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _moved(value: Value) -> Value:
    """A schema whose references to its own root lead to `$defs` of another."""
    if isinstance(value, list):
        return [_moved(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: f"#/$defs/{ROOT}{each.partition('#')[2]}" if key == "$ref" and isinstance(each, str)
        else each if key in DATA else _moved(each)
        for key, each in value.items()
    }  # fmt: skip
