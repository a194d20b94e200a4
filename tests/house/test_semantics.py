"""docs/semantics.md names, for each rule, tests that exist."""

import re
from typing import Final

from tests.house.tree import ROOT

ROW: Final = re.compile(r"^\| (\d\.\d+) \| (.+) \| (`.+`) \|$", re.MULTILINE)
NAMED: Final = re.compile(r"`(tests/[\w./-]+\.py)::(?:\w+::)?(\w+)`")


def test_every_rule_names_tests_that_exist() -> None:
    rows = ROW.findall((ROOT / "docs" / "semantics.md").read_text())
    assert rows
    for number, _rule, tests in rows:
        named = NAMED.findall(tests)
        assert named, f"rule {number} names no test"
        for path, function in named:
            assert (ROOT / path).exists(), f"rule {number}: there is no {path}"
            text = (ROOT / path).read_text()
            assert re.search(rf"^ *(def|async def|class) {function}\(", text, re.M), f"rule {number}: no {function}"
