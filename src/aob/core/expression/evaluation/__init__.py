"""A checked tree in, a function from names to a value out: what CEL's operators, functions and macros do to values."""

from aob.core.expression.evaluation.functions import KNOWN
from aob.core.expression.evaluation.macro import TURNS_MAX, Exhausted
from aob.core.expression.evaluation.operators import kind_of
from aob.core.expression.evaluation.translate import Foreign, Run, translate

__all__ = ["KNOWN", "TURNS_MAX", "Exhausted", "Foreign", "Run", "kind_of", "translate"]
