"""The docs cannot lie: reference pages are what the code says, links lead somewhere, and marked examples run."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from aob.core.graph import check, load
from tests.house.tree import ROOT, short, text_of
from tools.make_reference import codes, pages

RUNS: Final = re.compile(r"^```python run\n(.*?)^```(?:\n\n?```text printed\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
WORKFLOW: Final = re.compile(r"^```yaml (?:workflow|file=\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
DOCS: Final = (
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("examples/**/*.md")),
)


def test_the_reference_pages_are_what_the_code_says() -> None:
    here = {path.name: path.read_text() for path in (ROOT / "docs" / "reference").iterdir()}
    assert not [name for name, text in pages().items() if here.get(name) != text], "stale: make reference"


def test_every_error_code_stands_in_the_docs() -> None:
    text = "\n".join(text_of(path) for path in DOCS)
    assert not {code for code in codes() if f"`{code}`" not in text}


def test_every_link_between_the_docs_leads_to_a_file() -> None:
    broken = [
        f"{short(path)}: {target}"
        for path in DOCS
        for target in LINK.findall(text_of(path))
        if not (path.parent / target).exists()
    ]
    assert not broken


def examples() -> Iterator[object]:
    """Every code block that is marked as one that runs."""
    for path in DOCS:
        for number, (code, printed) in enumerate(RUNS.findall(text_of(path)), 1):
            yield pytest.param(code, printed, id=f"{short(path)}-{number}")


@pytest.mark.parametrize(("code", "printed"), list(examples()))
def test_a_marked_example_runs_and_prints_what_the_page_says(code: str, printed: str, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == printed


def documents() -> Iterator[object]:
    """Every workflow that stands in the docs or lies among the examples."""
    for path in DOCS:
        for number, text in enumerate(WORKFLOW.findall(text_of(path)), 1):
            yield pytest.param(text, id=f"{short(path)}-{number}")
    for path in sorted(ROOT.glob("examples/*/*.yaml")):
        yield pytest.param(text_of(path), id=short(path))


@pytest.mark.parametrize("text", list(documents()))
def test_a_workflow_in_the_docs_has_no_problem(text: str) -> None:
    assert not check(load(text))


def test_every_make_target_stands_in_the_readme() -> None:
    targets = re.findall(r"^([a-z-]+):.*?##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    readme = (ROOT / "README.md").read_text()
    assert not [target for target in targets if f"make {target}" not in readme]
