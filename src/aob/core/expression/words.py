"""Rewords the library's findings for the author of a workflow: offset, message and hint. Never raises."""

import re
from typing import Final

from aob.core.expression.evaluation.functions import KNOWN
from aob.core.expression.fault import Complaint, meant
from aob.core.expression.library import Finding

_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD: Final = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_NO_FIELDS: Final = re.compile(r"expression of type '([^']*)' cannot be the operand of a select operation")
_DEPTH: Final = re.compile(r"recursion (?:depth of|limit exceeded\. limit:) (\d+)")
_DASHED: Final = re.compile(r"(\w+)-$")
_PLAIN: Final = {"google.protobuf.Timestamp": "timestamp", "google.protobuf.Duration": "duration", "null_type": "null"}
_LOOSE_WORD: Final = {"and": "&&", "or": "||", "not": "!"}
_NUMERIC: Final = re.compile(r"\b(?:int|uint|double)\b")
_RELATIONS: Final = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"})


def is_syntax(finding: Finding) -> bool:
    """Whether the text cannot be parsed."""
    return "Syntax error" in finding.message or bool(_DEPTH.search(finding.message))


def is_mixed_numbers(finding: Finding) -> bool:
    """Whether the finding is only a comparison of int and double, which evaluation allows."""
    matched = _OVERLOAD.match(finding.message)
    if matched is None:
        return False
    kinds = [_NUMERIC.sub("int", part) for part in matched[2].split(", ", 1)]
    if len(kinds) != 2:
        return False
    if matched[1] == "@in":
        return kinds[1] == f"list({kinds[0]})"
    return matched[1] in _RELATIONS and kinds[0] == kinds[1]


def offset_of(text: str, finding: Finding) -> int:
    """The offset of a finding in the text, in characters from 0."""
    at = 0
    for _ in range(finding.line - 1):
        at = text.find("\n", at) + 1
    return min(at + max(finding.column - 1, 0), len(text))


def without_bound(text: str, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings without those caused by a misspelt macro: the variable that it would have bound."""
    bound = set()
    for each in findings:
        call = re.match(r"\(\s*(\w+)\s*,", text[offset_of(text, each) :])
        if call and _UNDECLARED.match(each.message):
            bound.add(call[1])
    return tuple(
        each
        for each in findings
        if not ((found := _UNDECLARED.match(each.message)) and found[1].partition(".")[0] in bound)
    )


def complaint_of(text: str, finding: Finding, names: frozenset[str]) -> Complaint:
    """One finding as a complaint; `names` are the top-level names that may be used."""
    offset = offset_of(text, finding)
    undeclared = _UNDECLARED.match(finding.message)
    if undeclared:
        return _unknown(text, offset, undeclared[1], names)
    overload = _OVERLOAD.match(finding.message)
    if overload:
        return _mismatch(text, offset, overload[1], overload[2])
    depth = _DEPTH.search(finding.message)
    if depth:
        return Complaint(
            0, f"nested too deeply: at most {depth[1]} levels", "compute a part of it in a node of its own"
        )
    without = _NO_FIELDS.match(finding.message)
    if without:
        return Complaint(offset, f"{without[1]} has no fields")
    if "Syntax error" in finding.message:
        return _syntax(text, offset, finding.message)
    return Complaint(offset, finding.message)


def _unknown(text: str, offset: int, path: str, names: frozenset[str]) -> Complaint:
    word = path.partition(".")[0]
    if text[offset : offset + 1] == "(":
        return Complaint(max(text.rfind(word, 0, offset), 0), f"there is no function {word}", meant(word, KNOWN))
    start = max(text.rfind(word, 0, offset + len(word)), 0)
    dashed = _DASHED.search(text[:start])
    if dashed:
        return Complaint(start, f"there is no name {word}", f'for a name with a dash write ["{dashed[1]}-{word}"]')
    known = ", ".join(sorted(names))
    return Complaint(start, f"there is no name {word}", meant(word, names, f"here are {known}" if known else ""))


def _mismatch(text: str, offset: int, function: str, kinds: str) -> Complaint:
    for formal, plain in _PLAIN.items():
        kinds = kinds.replace(formal, plain)
    parts = kinds.split(", ")
    hint = ""
    if len(parts) == 2 and set(parts) <= {"int", "uint", "double"}:
        hint = "write both as double (1.0) or both as int (1), or use double(x)"
    elif function == "_+_" and "string" in parts:
        hint = "string(x) makes text of a number"
    elif function == "_?_:_" and parts[0] in ("bool", "dyn"):
        hint = "both branches must be of one type; dyn(x) leaves it open"
    elif function in ("_&&_", "_||_", "!_", "_?_:_"):
        hint = "only true and false are conditions: compare with something"
    if text[offset : offset + 1] == "(":
        offset = max(text.rfind(function, 0, offset), 0)
    operator = {"@in": "in", "_[_]": "[]", "_?_:_": "?:"}.get(function, function.strip("_"))
    return Complaint(offset, f"'{operator}' does not take ({kinds})", hint)


def _syntax(text: str, offset: int, message: str) -> Complaint:
    words = re.sub(r" expecting .*$", "", message.removeprefix("Syntax error: "))
    rest, before = text[offset:], re.search(r"(\w+)\s*$", text[:offset])
    for loose in (re.match(r"\w+", rest), before):
        if loose and loose[0].strip() in _LOOSE_WORD:
            word = loose[0].strip()
            return Complaint(
                loose.start() + (offset if loose is not before else 0),
                f"syntax error at {word}",
                f"write {_LOOSE_WORD[word]}",
            )
    if re.match(r"=(?!=)", rest):
        return Complaint(offset, "syntax error: '=' is not an operator", "compare with ==")
    if not text.strip():
        return Complaint(0, "the expression is empty", "write an expression such as inputs.total > 100")
    if not rest.strip():
        return Complaint(offset, "syntax error: the expression ends too early")
    if rest[0] in "\"'":
        return Complaint(offset, "syntax error: a text that is not closed")
    field = re.search(r"at input '\.\s*(in|true|false|null)'", message)
    if field:
        return Complaint(offset, f"syntax error: {field[1]} is a word of the language", f'write ["{field[1]}"]')
    return Complaint(offset, f"syntax error: {words}")
