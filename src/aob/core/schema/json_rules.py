"""What each keyword of a reading JSON Schema asks of what was written. A keyword without a rule asserts nothing."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

import msgspec

from aob.core.document.shape import Value
from aob.core.json_schema import Unusable, checker_of
from aob.core.schema.json_parts import TYPES, Part, Undecided, items_of, members_of, whole_numbers
from aob.core.schema.model import Fault
from aob.core.value import canonical


class Asks(Protocol):
    """What a rule may ask of a comparison."""

    def faults(self, written: tuple[Part, ...], reader: Part) -> list[Fault]: ...
    def member(self, written: list[Part], name: str) -> tuple[Part, ...]: ...
    def item(self, written: list[Part], at: int) -> tuple[Part, ...]: ...
    def required(self, written: list[Part]) -> frozenset[str]: ...
    def holds(self, part: Part, value: Value) -> bool: ...
    def apart(self, written: list[Part], other: Part) -> bool: ...


class Known(msgspec.Struct, frozen=True):
    """One place: the comparison, what was written there, the schema that reads it, the types of what was written."""

    ask: Asks
    written: list[Part]
    reader: Part
    types: frozenset[str]

    def said(self, key: str) -> Iterator[Value]:
        """What was written says under a keyword, each time."""
        return (each.schema[key] for each in self.written if isinstance(each.schema, dict) and key in each.schema)

    def fault(self, key: str, words: str) -> list[Fault]:
        """One fault at a keyword."""
        return [Fault(f"{self.reader.path}/{key}", words)]

    def fits(self, written: Iterable[Part], schema: Value, *names: str | int) -> list[Fault]:
        """The faults of a place below."""
        return self.ask.faults(tuple(written), self.reader.at(schema, *names))

    def alike(self, schema: Value) -> Part:
        """A schema of ours, as one more of what was written."""
        document = self.written[0].document if self.written else self.reader.document
        return document.part(schema, "")


Judge = Callable[[Known, str], list[Fault]]


class Rule(msgspec.Struct, frozen=True):
    """For which types a keyword counts, with which others it is judged at once, and how."""

    types: frozenset[str]
    keys: frozenset[str]
    judge: Judge


def matches_pattern(pattern: str, name: str) -> bool:
    """Whether a pattern matches a text, by the engine that checks values. Raises Undecided."""
    made = checker_of(canonical({"pattern": pattern}))
    if isinstance(made, Unusable):
        raise Undecided(f"the pattern {pattern[:60]} cannot be used")
    return made.is_valid(name)


def _type(known: Known, key: str) -> list[Fault]:
    said = known.reader.schema[key]
    mine = frozenset([said] if isinstance(said, str) else said)
    more = known.types - {"number" if each == "integer" else each for each in mine}
    if more:
        return known.fault(key, f"{', '.join(sorted(more))} may have been written, and is not read")
    if "number" in known.types and whole_numbers(known.reader) and not _whole(known):
        return known.fault(key, "number may have been written, and only integer is read")
    return []


def _whole(known: Known) -> bool:
    return any(
        whole_numbers(each) and each.document.exclusive_flags == known.reader.document.exclusive_flags
        for each in known.written
    )


def _bounds(part: Part, low: bool) -> Iterator[tuple[float, bool]]:
    """The bounds of numbers on one side: the value, and whether it is itself excluded."""
    if not isinstance(part.schema, dict):
        return
    plain, strict = ("minimum", "exclusiveMinimum") if low else ("maximum", "exclusiveMaximum")
    flag = part.schema.get(strict)
    if plain in part.schema:
        yield part.schema[plain], flag is True
    if flag is not None and not isinstance(flag, bool):
        yield flag, True


def _number(known: Known, key: str) -> list[Fault]:
    low = key.endswith("inimum")
    found: list[Fault] = []
    for mine, excluded in _bounds(known.reader, low):
        bounds = [each for part in known.written for each in _bounds(part, low)]
        inside = (value > mine if low else value < mine for value, _ in bounds)
        at = (value == mine and (strict or not excluded) for value, strict in bounds)
        if not any(inside) and not any(at):
            found += known.fault(key, f"numbers {'below' if low else 'above'} {mine} may have been written")
    return found


def is_low(written: list[Part]) -> bool:
    """Whether the bounds leave no number."""
    lows = [each for part in written for each in _bounds(part, True)]
    highs = [each for part in written for each in _bounds(part, False)]
    return any(low > high or (low == high and (a or b)) for low, a in lows for high, b in highs)


def _multiple(known: Known, key: str) -> list[Fault]:
    mine = known.reader.schema[key]
    for value in known.said(key):
        if value == mine or (type(value) is int and type(mine) is int and value % mine == 0):
            return []
    if mine == 1 and _whole(known):
        return []
    return known.fault(key, f"other numbers than multiples of {mine} may have been written")


def _at_least(known: Known, key: str) -> list[Fault]:
    mine = known.reader.schema[key]
    known_least = len(known.ask.required(known.written)) if key == "minProperties" else 0
    if mine <= known_least or any(value >= mine for value in known.said(key)):
        return []
    return known.fault(key, f"less than {mine} may have been written")


def _at_most(known: Known, key: str) -> list[Fault]:
    mine = known.reader.schema[key]
    if any(value <= mine for value in known.said(key)):
        return []
    return known.fault(key, f"more than {mine} may have been written")


def _unique(known: Known, key: str) -> list[Fault]:
    alike = any(value is True for value in known.said(key)) or any(value <= 1 for value in known.said("maxItems"))
    return [] if alike or known.reader.schema[key] is not True else known.fault(key, "an item may stand there twice")


def _required(known: Known, key: str) -> list[Fault]:
    missing = [name for name in known.reader.schema[key] if name not in known.ask.required(known.written)]
    return [] if not missing else known.fault(key, f"{', '.join(missing[:8])} may not have been written")


def _members(known: Known, key: str) -> list[Fault]:
    """Named members, those of patterns, and all others."""
    ask, written = known.ask, known.written
    named, patterns, rest = members_of(known.reader)
    found = [
        fault
        for name, schema in named.items()
        for fault in known.fits(ask.member(written, name), schema, "properties", name)
    ]
    heard = {name for each in written if isinstance(each.schema, dict) for name in members_of(each)[0]}
    for pattern, schema in patterns.items():
        for name in sorted(each for each in heard if matches_pattern(pattern, each)):
            found += known.fits(ask.member(written, name), schema, "patternProperties", pattern)
        found += known.fits(_of_pattern(written, pattern), schema, "patternProperties", pattern)
    if rest is not True:
        others = sorted(each for each in heard - named.keys() if not any(matches_pattern(p, each) for p in patterns))
        for name in others:
            found += _without(known, name, known.fits(ask.member(written, name), rest, "additionalProperties"))
        found += _unnamed(known, patterns, rest)
    return found


def _without(known: Known, name: str, faults: list[Fault]) -> list[Fault]:
    return [Fault(fault.path, f"member {name}: {fault.message}") for fault in faults]


def _of_pattern(written: list[Part], pattern: str) -> Iterator[Part]:
    """What is known of members whose names match a pattern and are not named."""
    for each in written:
        if not isinstance(each.schema, dict):
            continue
        _, patterns, rest = members_of(each)
        if pattern in patterns:
            yield each.at(patterns[pattern], "patternProperties", pattern)
        elif not patterns and rest is not True:
            yield each.at(rest, "additionalProperties")


def _unnamed(known: Known, patterns: Iterable[str], rest: Value) -> list[Fault]:
    """Faults of members that nobody named."""
    written = [each for each in known.written if isinstance(each.schema, dict)]
    closed = next((each for each in written if members_of(each)[2] is False), None)
    if closed is not None:
        theirs = members_of(closed)[1]
        left = [pattern for pattern in theirs if pattern not in patterns]
        return [
            fault
            for pattern in left
            for fault in known.fits(_of_pattern(known.written, pattern), rest, "additionalProperties")
        ]
    others = [
        each.at(members_of(each)[2], "additionalProperties")
        for each in written
        if not members_of(each)[1] and members_of(each)[2] is not True
    ]
    found = known.fits(others, rest, "additionalProperties")
    if found and not others:
        words = "members that it does not name may have been written, of any kind"
        return known.fault("additionalProperties", words)
    return found


def _names(known: Known, key: str) -> list[Fault]:
    schema = known.reader.schema[key]
    closed = (each for each in known.written if isinstance(each.schema, dict) and members_of(each)[1:] == ({}, False))
    listed = next(closed, None)
    if listed is not None:
        part = known.reader.at(schema, key)
        wrong = [name for name in members_of(listed)[0] if not known.ask.holds(part, name)]
        return known.fault(key, f"{', '.join(wrong[:8])} may have been written") if wrong else []
    names = [each.at(each.schema[key], key) for each in known.written
             if isinstance(each.schema, dict) and key in each.schema]  # fmt: skip
    return known.fits([*names, known.alike({"type": "string"})], schema, key)


def _items(known: Known, key: str) -> list[Fault]:
    first, rest = items_of(known.reader)
    theirs = [items_of(each)[0] for each in known.written if isinstance(each.schema, dict)]
    listed = max([len(first), *map(len, theirs)])
    most = min(known.said("maxItems"), default=None)
    found: list[Fault] = []
    for at in range(listed if most is None else min(listed, int(most))):
        found += known.fits(known.ask.item(known.written, at), first[at] if at < len(first) else rest, "items", at)
    if most is None or most > listed:
        found += known.fits(known.ask.item(known.written, -1), rest, "items")
    return found


def _any_of(known: Known, key: str) -> list[Fault]:
    best: list[Fault] | None = None
    for at, branch in enumerate(known.reader.schema[key]):
        found = known.fits(known.written, branch, key, at)
        if not found:
            return []
        best = found if best is None or len(found) < len(best) else best
    return [*known.fault(key, "what was written may fit none of the alternatives"), *(best or [])]


def _one_of(known: Known, key: str) -> list[Fault]:
    branches = known.reader.schema[key]
    for at, branch in enumerate(branches):
        if not known.fits(known.written, branch, key, at):
            others = [known.reader.at(each, key, number) for number, each in enumerate(branches) if number != at]
            both = [each for each in others if not known.ask.apart(known.written, each)]
            if both:
                return [Fault(both[0].path, f"what fits alternative {at} may fit this one too")]
            return []
    return known.fault(key, "what was written may fit none of the alternatives")


def _not(known: Known, key: str) -> list[Fault]:
    other = known.reader.at(known.reader.schema[key], key)
    forbidden = (each.at(each.schema[key], key) for each in known.written
                 if isinstance(each.schema, dict) and key in each.schema)  # fmt: skip
    if known.ask.apart(known.written, other) or any(not known.ask.faults((other,), each) for each in forbidden):
        return []
    return known.fault(key, "what is forbidden may have been written")


def _if(known: Known, key: str) -> list[Fault]:
    schema = known.reader.schema
    if "if" not in schema:
        return []
    test = known.reader.at(schema["if"], "if")
    found: list[Fault] = []
    if "then" in schema and not known.ask.apart(known.written, test):
        found += known.fits([*known.written, test], schema["then"], "then")
    if "else" in schema and known.fits(known.written, schema["if"], "if"):
        found += known.fits(known.written, schema["else"], "else")
    return found


def _dependent(known: Known, key: str) -> list[Fault]:
    found: list[Fault] = []
    needed = known.ask.required(known.written)
    for name, wants in known.reader.schema[key].items():
        if any(each.schema is False for each in known.ask.member(known.written, name)):
            continue
        if not isinstance(wants, list):
            said = [(each, each.schema.get(key, {}).get(name)) for each in known.written if each.schema is not True]
            also = [each.at(schema, key, name) for each, schema in said if isinstance(schema, dict | bool)]
            found += known.fits([*known.written, *also, known.alike({"required": [name]})], wants, key, name)
            continue
        told = [said.get(name) for said in known.said(key) if isinstance(said.get(name), list)]
        missing = [each for each in wants if each not in needed and not any(each in names for names in told)]
        if missing:
            found += known.fault(f"{key}/{name}", f"{', '.join(missing[:8])} may not have been written")
    return found


def _same_only(known: Known, key: str) -> list[Fault]:
    return known.fault(key, f"{key} is not what was written by, and more cannot be decided")


def _listed(known: Known, key: str) -> list[Fault]:
    return known.fault(key, "other values may have been written than those that are listed")


def _rule(judge: Judge, types: str, *keys: str) -> dict[str, Rule]:
    found = Rule(frozenset(types.split()) if types else TYPES, frozenset(keys), judge)
    return dict.fromkeys(keys, found)


def _each(judge: Judge, types: str, *keys: str) -> dict[str, Rule]:
    return {key: made for key in keys for made in _rule(judge, types, key).values()}


RULES: Final[dict[str, Rule]] = {
    **_rule(_type, "", "type"), **_each(_listed, "", "const", "enum"),
    **_rule(_number, "number", "minimum", "exclusiveMinimum"),
    **_rule(_number, "number", "maximum", "exclusiveMaximum"),
    **_rule(_multiple, "number", "multipleOf"),
    **_each(_at_least, "string", "minLength"), **_each(_at_most, "string", "maxLength"),
    **_each(_at_least, "array", "minItems"), **_each(_at_most, "array", "maxItems"),
    **_each(_at_least, "object", "minProperties"), **_each(_at_most, "object", "maxProperties"),
    **_each(_same_only, "string", "pattern", "format", "contentEncoding", "contentMediaType"),
    **_rule(_same_only, "array", "contains", "minContains", "maxContains"),
    **_each(_same_only, "array", "unevaluatedItems"), **_each(_same_only, "object", "unevaluatedProperties"),
    **_rule(_unique, "array", "uniqueItems"),
    **_rule(_required, "object", "required"), **_rule(_names, "object", "propertyNames"),
    **_rule(_members, "object", "properties", "patternProperties", "additionalProperties"),
    **_rule(_items, "array", "prefixItems", "items", "additionalItems"),
    **_each(_dependent, "object", "dependentRequired", "dependentSchemas", "dependencies"),
    **_rule(_any_of, "", "anyOf"), **_rule(_one_of, "", "oneOf"), **_rule(_not, "", "not"),
    **_rule(_if, "", "if", "then", "else"),
}  # fmt: skip
GROUPS: Final = frozenset({
    "pattern", "format", "contentEncoding", "contentMediaType", "contains", "anyOf", "oneOf", "not", "if",
    "dependentSchemas", "dependencies",
})  # fmt: skip
"""Keywords that hold when what was written says the very same."""
