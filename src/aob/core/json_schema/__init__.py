"""JSON Schemas and values in, what does not fit out: with a bound on the steps that a value may take."""

from aob.core.json_schema.bound import WORK_MAX
from aob.core.json_schema.checker import Checker, Fault, Unusable, checker_of
from aob.core.json_schema.problems import schema_problems

__all__ = ["WORK_MAX", "Checker", "Fault", "Unusable", "checker_of", "schema_problems"]
