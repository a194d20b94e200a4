"""Text in; plain values, what is wrong with the text, and the line and column of every value, out.

YAML is read by `text.yaml_text`, which is imported by its name where a document is YAML: it costs 20 ms.
"""

from aob.core.graph.text.json_text import json_spots, read_json
from aob.core.graph.text.places import Places, Spot, located

__all__ = ["Places", "Spot", "json_spots", "located", "read_json"]
