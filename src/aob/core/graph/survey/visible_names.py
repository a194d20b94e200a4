"""Scopes of expressions: what each may refer to, and its compilation. A problem with a caret has its line and column
within the text; `located` maps them to the document."""

import re
from functools import lru_cache
from typing import Final

import msgspec

from aob.core.errors import Problem
from aob.core.expression import Expression, ExpressionError, compile_expression
from aob.core.expression.evaluation import UNITS_MAX
from aob.core.graph.survey.edge_plan import Order
from aob.core.hint import meant
from aob.core.rules import RULES
from aob.core.value import decode

EXPRESSIONS_CACHED_MAX: Final = 16_384
UNITS_BEFORE_MAX: Final = 10 * UNITS_MAX  # cost limit of an evaluation under rules 1, which limited only iterations
ROOT_NAMES: Final = frozenset({"inputs", "nodes", "run", "now"})
_MENTIONED: Final = re.compile(r"""\bnodes\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*\])""")


class VisibleNames(msgspec.Struct, frozen=True):
    """`names` are the top-level names, `outer` the preceding nodes of enclosing bodies, `order` the nodes of this body,
    `mask` which of them precede (bit by index), `here` the expression's node ("" for none). `schema` is the canonical
    JSON Schema of the inputs, empty if none; `rules` the rules number."""

    names: frozenset[str]
    outer: frozenset[str]
    order: Order
    mask: int
    here: str = ""
    schema: bytes = b""
    rules: int = RULES


@lru_cache(maxsize=EXPRESSIONS_CACHED_MAX)
def _compiled(text: str, names: frozenset[str], truth: bool, schema: bytes, rules: int) -> Expression:
    """Compiled once for the ids that the text mentions (maybe too many, never too few), not for all ids of its
    document, so that a patch elsewhere needs no recompilation."""
    return compile_expression(
        text,
        nodes=frozenset(next(filter(None, groups), "") for groups in _MENTIONED.findall(text)),
        names=names,
        input_schema=decode(schema) if schema else None,
        want="bool" if truth else "any",
        strict=rules >= 2,
        units_max=UNITS_MAX if rules >= 2 else UNITS_BEFORE_MAX,
    )


def expression_at(
    text: str, path: str, sight: VisibleNames, problems: list[Problem], gives: tuple[str, ...] = ()
) -> Expression | None:
    """The expression of a text, or None with its problems added. `gives` are the allowed types."""
    try:
        schema = sight.schema if "inputs" in text else b""
        expression = _compiled(text, sight.names, gives == ("bool",), schema, sight.rules)
    except ExpressionError as error:
        problems.extend(msgspec.structs.replace(problem, path=path) for problem in error.problems)
        return None
    if gives and expression.kind != "dyn" and expression.kind not in gives:
        message = f"this must give {' or '.join(gives)}, and it gives {expression.kind}"
        problems.append(Problem(path, message, "bad_expression_type"))
    if expression.nodes:
        order, mask = sight.order, sight.mask
        for id in expression.nodes:
            number = order.index.get(id)
            known = id in sight.outer if number is None else mask >> number & 1
            if not known:
                problems.append(_unseen(text, id, path, sight))
    return expression


def _unseen(text: str, id: str, path: str, sight: VisibleNames) -> Problem:
    at = next((found.start() for found in _MENTIONED.finditer(text) if id in found.groups()), 0)
    row, start = text.count("\n", 0, at), text.rfind("\n", 0, at) + 1
    line = text[start:].partition("\n")[0]
    column = at - start
    code = "not_before"
    if id == sight.here:
        message = f"`{id}` refers to itself"
        hint = "an expression sees the nodes before its own; a node's own output comes after it"
    elif id in sight.order.index:
        message = f"`{id}` does not come before {f'`{sight.here}`' if sight.here else 'this place'}"
        hint = f"an expression sees only nodes on a way that leads to it: add an edge from `{id}`"
    else:
        seen = frozenset(name for name, number in sight.order.index.items() if sight.mask >> number & 1) | sight.outer
        code, message, hint = "unknown_node", f"there is no node `{id}` here", meant(id, seen, "nodes before it")
    return Problem(path, message, code, row + 1, column + 1, hint, f"{line}\n{' ' * column}^")
