"""Writes `spec/workflow.schema.json` from the structs that read documents. Run as `python -m tools.make_schema`."""

import json
from pathlib import Path

from aob.core.graph.document_schema import workflow_schema

if __name__ == "__main__":
    path = Path(__file__).parents[1] / "spec" / "workflow.schema.json"
    path.write_text(json.dumps(workflow_schema(), indent=2, ensure_ascii=False) + "\n")
    print(f"{path.name} written")
