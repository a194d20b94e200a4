"""Canonical JSON as `spec/canonical.md` writes it down: golden vectors, and a writer made from that page."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.value import canonical, decode, digest_of

SPEC = Path(__file__).parents[2] / "spec" / "canonical.json"
VECTORS: list[dict[str, str]] = json.loads(SPEC.read_text(encoding="utf-8"))
SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["text"][:40] for vector in VECTORS])
def test_a_text_has_this_canonical_form_and_hash(vector: dict[str, str]) -> None:
    data = canonical(decode(vector["text"].encode()))
    assert data.decode() == vector["canonical"]
    assert digest_of(data).hex() == vector["sha256"] == hashlib.sha256(vector["canonical"].encode()).hexdigest()
    assert canonical(decode(data)) == data


def written(value: Any) -> str:
    """The canonical text, by the rules of the page."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return double(value)
        case str():
            return (
                '"' + "".join(SHORT.get(char, char if char >= " " else f"\\u{ord(char):04x}") for char in value) + '"'
            )
        case list():
            return f"[{','.join(map(written, value))}]"
    members = sorted(value.items(), key=lambda member: [ord(char) for char in member[0]])
    return "{" + ",".join(f"{written(name)}:{written(item)}" for name, item in members) + "}"


def character(char: str) -> str:
    return SHORT.get(char, char if char >= " " else f"\\u{ord(char):04x}")


def double(value: float) -> str:
    if value == 0:
        return "-0.0" if math.copysign(1, value) < 0 else "0.0"
    sign = "-" if value < 0 else ""
    plain, _, power = repr(abs(value)).partition("e")
    whole, _, rest = plain.partition(".")
    digits = (whole + rest).lstrip("0")
    exponent = int(power or 0) + (len(whole) - 1 if whole != "0" else -1 - (len(rest) - len(rest.lstrip("0"))))
    digits = digits.rstrip("0")
    if not -5 <= exponent <= 15:
        return f"{sign}{digits[0]}{'.' * (len(digits) > 1)}{digits[1:]}e{exponent}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    return f"{sign}{digits[: exponent + 1].ljust(exponent + 1, '0')}.{digits[exponent + 1 :] or '0'}"


LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    LEAVES | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)


@given(VALUES)
def test_the_page_says_all_that_there_is_to_say(value: Any) -> None:
    assert canonical(value).decode() == written(value)
