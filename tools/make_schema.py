"""Writes the schemas in `spec/` from the structs that read documents and contracts: `python -m tools.make_schema`."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from aob.core.contract.definition_schema import contract_schema
from aob.core.graph.document_schema import workflow_schema

SCHEMAS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "workflow.schema.json": workflow_schema,
    "contract.schema.json": contract_schema,
}

if __name__ == "__main__":
    for name, make in SCHEMAS.items():
        path = Path(__file__).parents[1] / "spec" / name
        path.write_text(json.dumps(make(), indent=2, ensure_ascii=False) + "\n")
        print(f"{path.name} written")
