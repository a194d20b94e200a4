"""Documents as people write them: text in; plain values, what is wrong with them, and where each stands, out.

Workflows and contracts are read by these. YAML is read by `yaml_text`, which is imported by its name where a document
is YAML: it costs 20 ms.
"""

from aob.core.document.places import Places, located
from aob.core.document.shape import Duration, Tree, Value, escape, wrong_shape
from aob.core.document.text import PROBLEMS_MAX, Text, form_of, read_text
from aob.core.document.twice import key_twice

__all__ = [
    "PROBLEMS_MAX", "Duration", "Places", "Text", "Tree", "Value", "escape", "form_of", "key_twice", "located",
    "read_text", "wrong_shape",
]  # fmt: skip
