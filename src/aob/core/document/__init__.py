"""Documents as people write them: text in; plain values, what is wrong with them, and where each stands, out.

Workflows and contracts are read by these. YAML is read by `yaml_text`, which is imported by its name where a document
is YAML: it costs 20 ms.
"""

from aob.core.document.json_text import json_spots, read_json
from aob.core.document.places import Places, Spot, located
from aob.core.document.shape import Duration, Tree, Value, escape, wrong_shape

__all__ = [
    "Duration", "Places", "Spot", "Tree", "Value", "escape", "json_spots", "located", "read_json", "wrong_shape",
]  # fmt: skip
