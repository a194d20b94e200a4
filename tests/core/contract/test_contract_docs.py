"""Contracts that stand in the docs have no problem."""

import re
from pathlib import Path

import pytest

from aob.core.contract import read_contracts
from aob.core.metric.metric_tests import try_contracts
from tests.core.contract.contract_texts import problems_of

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```yaml contract\n(.*?)^```", re.MULTILINE | re.DOTALL)
TEXTS = [
    pytest.param(text, id=f"{path.name}-{number}")
    for path in sorted((ROOT / "docs").rglob("*.md"))
    for number, text in enumerate(BLOCK.findall(path.read_text()), 1)
]


@pytest.mark.parametrize("text", TEXTS)
def test_contracts_in_the_docs_fit_together(text: str) -> None:
    assert not problems_of({"docs.yaml": text})
    assert all(trial.passed for trial in try_contracts(read_contracts({"docs.yaml": text})))
