"""Writes the schemas in `spec/` and the platform's contracts as JSON: `python -m tools.make_schema`.

People write the platform's contracts in YAML; a process reads the JSON beside it, which takes a hundredth of the time.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from aob.core.contract import read_contracts, to_document
from aob.core.contract.definition import contract_schema
from aob.core.graph.definition import workflow_schema
from aob.views import events_schema

SCHEMAS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "workflow.schema.json": workflow_schema,
    "contract.schema.json": contract_schema,
    "events.schema.json": events_schema,
}

SHIPPED: Final = ("platform/contracts.yaml", "alerting/platform.yaml")
"""Contracts in `aob.metrics` that every home has."""


def shipped(name: str) -> tuple[Path, str]:
    """The JSON file beside a YAML file of contracts, and what it must hold."""
    source = Path(__file__).parents[1] / "src" / "aob" / "metrics" / name
    found = read_contracts({source.name: source.read_text(encoding="utf-8")})
    kinds = (found.events, found.metrics, found.alerts)
    documents = [to_document(each) for kind in kinds for versions in kind.values() for each in versions.values()]
    return source.with_suffix(".json"), json.dumps(documents, separators=(",", ":"), ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, make in SCHEMAS.items():
        path = Path(__file__).parents[1] / "spec" / name
        path.write_text(json.dumps(make(), indent=2, ensure_ascii=False) + "\n")
        print(f"{path.name} written")
    for name in SHIPPED:
        path, text = shipped(name)
        path.write_text(text, encoding="utf-8")
        print(f"{path.name} written")
