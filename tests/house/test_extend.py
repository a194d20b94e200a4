"""The page "How to add …" names files that are there, and what was added before stands in each of them."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, get_args

import pytest

from aob.core.contract_model import MetricType
from aob.core.node import KINDS
from aob.work.kinds import KINDS_WORK
from tests.house.tree import ROOT, text_of

PAGE: Final = ROOT / "docs" / "how-to" / "extend.md"
ROW: Final = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
SECTION: Final = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
PLACEHOLDER: Final = re.compile(r"KIND|NOUN|PORT")
SECTIONS: Final[dict[str, list[str]]] = {title: ROW.findall(body) for title, body in SECTION.findall(text_of(PAGE))}
EVERY: Final = {"core/graph/builder/kinds.py", "tests/core/test_node_kinds.py", "tests/runs/test_large_inputs.py",
                "tests/house/test_fields.py"}  # fmt: skip
"""Files in which each kind of node stands by its name."""


def file_of(name: str) -> Path:
    return ROOT / name if name.startswith("tests/") else ROOT / "src" / "aob" / name


def files() -> Iterator[str]:
    yield from (name for names in SECTIONS.values() for name in names)


def missing(names: Iterable[str], text: str) -> list[str]:
    return [name for name in names if not re.search(rf"\b{name}\b", text)]


def test_the_page_has_its_sections() -> None:
    assert {"A node kind", "A backend of a port", "A type of metric", "A law"} <= SECTIONS.keys()
    assert all(SECTIONS.values())


@pytest.mark.parametrize("name", sorted({*files()}))
def test_a_file_that_the_page_names_is_there(name: str) -> None:
    if PLACEHOLDER.search(name):
        folder = ROOT if name.startswith("tests/") else ROOT / "src" / "aob"
        assert len(list(folder.glob(PLACEHOLDER.sub("*", name)))) > 1
    else:
        assert file_of(name).is_file()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_node_stands_where_the_page_says(kind: str) -> None:
    named = SECTIONS["A node kind"]
    assert set(named) >= EVERY
    assert file_of(f"core/node/{kind}.py").is_file()
    assert file_of(f"work/kinds/{kind}.py").is_file() is (kind in KINDS_WORK)
    assert not [
        name for name in EVERY if name != "tests/core/test_node_kinds.py" and missing([kind], text_of(file_of(name)))
    ]


@pytest.mark.parametrize("name", ["core/contract_model.py", "tests/core/metric/shop_world.py"])
def test_every_type_of_metric_stands_where_the_page_says(name: str) -> None:
    assert name in SECTIONS["A type of metric"]
    assert not missing(get_args(MetricType), text_of(file_of(name)))


def test_every_suite_is_run_and_that_of_a_port_in_the_file_that_the_page_says() -> None:
    suites = {path.stem for path in file_of("testing/conformance").glob("*.py")} - {"__init__"}
    tests = "".join(
        text_of(path) for name in ("conformance", "models") for path in (ROOT / "tests" / name).glob("*.py")
    )
    assert not [name for name in suites if f"aob.testing.conformance.{name} import" not in tests]
    ports = {name for name in suites - {"model"} if file_of(f"ports/{name}.py").is_file()}
    assert not [name for name in ports if not (ROOT / "tests" / "conformance" / f"test_{name}.py").is_file()]
