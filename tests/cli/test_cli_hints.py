"""Commands that errors, hints and help tell are commands that there are."""

import ast
import re
from argparse import _SubParsersAction
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

import pytest

from aob.cli.commands import FILES
from aob.cli.parser import make_parser
from aob.client import find_place
from aob.core.errors import Unavailable
from tests.house.tree import ROOT, short, text_of

TOLD: Final = re.compile(r"(?<![\w./-])aob((?: --json| --(?:home|server) \S+)*) ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?")
CODE: Final = re.compile(r"^```\w*.*?\n(.*?)^```|(?<!`)`([^`\n]+)`(?!`)", re.MULTILINE | re.DOTALL)
KNOWN: Final[dict[str, frozenset[str] | None]] = {}
"""Each command, and the ones below it; None for one that has no others."""
WHOLE: Final = make_parser()


def below(parser: object) -> Iterator[tuple[str, object]]:
    for action in parser._actions:  # type: ignore[attr-defined]
        if isinstance(action, _SubParsersAction):
            yield from action.choices.items()


for name, parser in below(WHOLE):
    lower = frozenset(each for each, _ in below(parser))
    KNOWN[name] = None if not lower or getattr(parser, "otherwise", "") else lower


def wrong(text: str) -> list[str]:
    return [
        found[0] for found in TOLD.finditer(text)
        if found[2] not in KNOWN or (found[3] and (lower := KNOWN[found[2]]) is not None and found[3] not in lower)
    ]  # fmt: skip


def strings() -> Iterator[tuple[str, str]]:
    """Every text of the product that is no docstring, by its file."""
    for path in sorted((ROOT / "src" / "aob").rglob("*.py")):
        tree = ast.parse(text_of(path))
        told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
                yield short(path), node.value


def test_a_command_that_a_text_of_the_product_tells_is_there() -> None:
    found = [(path, each) for path, text in strings() if "aob " in text for each in wrong(text)]
    assert not found


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=short)
def test_a_command_that_a_page_tells_is_there(path: Path) -> None:
    code = [fenced or inline for fenced, inline in CODE.findall(text_of(path))]
    assert not [each for text in code for each in wrong(text)]


def test_what_is_wrong_is_seen() -> None:
    assert wrong("made by aob key add NAME") == ["aob key add"]
    assert wrong("aob --home here secrets list") == ["aob --home here secrets list"]
    assert not wrong("aob key create NAME; aob worker FILE; aob --json run list; /bin/aob is; aob-tasks here")


def test_who_asks_a_member_of_a_cluster_is_told_to_ask_an_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AOB_STORE", raising=False)
    for text, asks in (("{}", False), ('{"store": "postgresql://aob@db/shop"}', True)):
        (tmp_path / "home.json").write_text(text)
        with pytest.raises(Unavailable) as caught:
            find_place(tmp_path)
        assert ("AOB_SERVER" in caught.value.hint) is asks
        assert f"aob up --home {tmp_path}" in caught.value.hint


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_found_by_each_of_its_commands_and_makes_the_same_words(file: str) -> None:
    """A start reads the file of its command only."""
    for name in FILES[file]:
        alone = dict(below(make_parser(name)))
        assert tuple(alone) == FILES[file]
        assert all(each.format_help() == dict(below(WHOLE))[word].format_help() for word, each in alone.items())
    assert list(chain(*FILES.values())) == [word for word, _ in below(WHOLE)]
