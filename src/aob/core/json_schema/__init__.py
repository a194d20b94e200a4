"""Validates values by JSON Schemas, with a bound on the steps of one value."""

from aob.core.json_schema.checker import Checker, Fault, Unusable, checker_of
from aob.core.json_schema.forms import check_form, form_problems
from aob.core.json_schema.parts import step
from aob.core.json_schema.problems import schema_problems

__all__ = ["Checker", "Fault", "Unusable", "check_form", "checker_of", "form_problems", "schema_problems", "step"]
