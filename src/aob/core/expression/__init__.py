"""Compiles text into checked, fast CEL expressions. Errors of the text are raised at load, all at once."""

from aob.core.expression.evaluation import Meter, string_of
from aob.core.expression.expression import Expression, compile_expression
from aob.core.expression.fault import EvalError, ExpressionError

__all__ = ["EvalError", "Expression", "ExpressionError", "Meter", "compile_expression", "string_of"]
