"""What an expression or a job sees of a run: inputs, outputs of nodes, the item or the pass, the run, the time."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aob.core.answers import JsonObject, JsonValue
from aob.core.expression import EvalError, Expression, Meter
from aob.core.graph.compiled.ir import IR, Node
from aob.core.rules import FIRST_RULES
from aob.core.run.state.run import EXHAUSTED, SKIPPED, Scope, completed, failed, state_of, takes
from aob.core.run.stepping.step import DeniedError, Step
from aob.core.value import NULL, Cell


def evaluate(
    step: Step, scope: Scope, expression: Expression, extra: JsonObject | None = None, meter: Meter | None = None
) -> JsonValue:
    """The value of an expression in a scope. Raises DeniedError with the expression if it fails. Expressions with the
    same meter share the cost limit of one."""
    try:
        return expression.eval({**names_for(step, scope, expression), **(extra or {})}, meter)
    except EvalError as error:
        raise DeniedError(f"{expression.text}: {error}") from error


def evaluate_all(step: Step, scope: Scope, expressions: Mapping[str, Expression]) -> JsonObject:
    """The values of the expressions of one input or output."""
    meter = Meter()
    return {name: evaluate(step, scope, expression, None, meter) for name, expression in expressions.items()}


def names_for(step: Step, scope: Scope, expression: Expression) -> JsonObject:
    """Only the names that the expression uses."""
    names: JsonObject = {}
    wanted = expression.names
    if "inputs" in wanted:
        names["inputs"] = step.load(step.run.inputs)
    if "nodes" in wanted:
        names["nodes"] = {node: _facts(step, scope, node) for node in expression.nodes}
    if "item" in wanted:
        names["item"] = _item(step, scope)
    if "loop" in wanted:
        names["loop"] = _loop(step, scope)
    if "run" in wanted:
        run = step.run
        names["run"] = {"id": run.id, "workflow": run.workflow, "tag": run.tag, "version": run.version,
                        "labels": dict(run.labels), "tenant": run.tenant}  # fmt: skip
    if "now" in wanted:
        names["now"] = datetime.fromtimestamp(step.now / 1_000, UTC)
    return names


def parent_of(step: Step, scope: Scope) -> Scope | None:
    """The scope that contains the pass."""
    if not scope.path:
        return None
    return step.scope(scope.visit.rpartition("/")[0])


def _facts(step: Step, scope: Scope, node: str) -> JsonObject:
    """What an expression sees of a node: its `state`, the `output` if it completed, the `error` if it failed, and of a
    loop whether it is `exhausted`. Under the first rules `output` always exists, null if there is none."""
    here: Scope | None = scope
    outcome: Any = None
    ir = step.ir_of(scope)
    while here is not None and outcome is None:
        outcome = step.outcome(here, node)
        here = parent_of(step, here)
    facts: JsonObject = {"state": state_of(outcome)}
    if outcome is not None and outcome.on == EXHAUSTED:
        facts[EXHAUSTED] = True
    if failed(outcome):
        facts["error"] = step.load(outcome.output)
    if ir.rules == FIRST_RULES:
        facts["output"] = step.load(NULL if outcome is None else outcome.output)
    elif completed(outcome):
        facts["output"] = step.load(outcome.output)
    return facts


def _item(step: Step, scope: Scope) -> JsonValue:
    here: Scope | None = scope
    while here is not None:
        body = step.run.bodies.get(here.visit)
        if here.path.endswith("]") or (body is not None and body.kind == "map"):
            return step.load(here.item)
        here = parent_of(step, here)
    return None


def _loop(step: Step, scope: Scope) -> JsonObject:
    here: Scope | None = scope
    while here is not None and here.path.endswith("]"):
        here = parent_of(step, here)
    if here is None or not here.path:
        return {"index": 0, "previous": None}
    return {"index": here.index, "previous": step.load(here.item)}


def source_cells(step: Step, scope: Scope, node: Node) -> dict[str, Cell]:
    """The outputs of the sources whose edges to this node are taken, by source id."""
    cells: dict[str, Cell] = {}
    for edge in node.ins:
        outcome = step.outcome(scope, edge.source.id)
        if outcome is not None and takes(edge, outcome):
            cells[edge.source.id] = outcome.output
    return cells


def input_cell(step: Step, scope: Scope, node: Node) -> Cell:
    """The input of a visit: its map of expressions, or the one source's output, or a map by source."""
    if node.input is not None:
        return step.cell(evaluate_all(step, scope, node.input))
    if not node.ins:
        cell = scope.item if scope.path else step.run.inputs
    else:
        cells = source_cells(step, scope, node)
        if len(cells) != 1:
            return step.cell({source: step.load(cell) for source, cell in cells.items()})
        (cell,) = cells.values()
    return cell


def input_value(step: Step, scope: Scope, node: Node) -> JsonValue:
    """The input of a visit as a new Python value."""
    if node.input is not None:
        return evaluate_all(step, scope, node.input)
    return step.load(input_cell(step, scope, node))


def body_output(step: Step, scope: Scope) -> Cell:
    """The output of a finished scope: its `output` map, else its one leaf's output, else a map of leaves by id."""
    ir = step.ir_of(scope)
    if ir.output is not None:
        return step.cell(evaluate_all(step, scope, ir.output))
    cells = _leaves(step, scope, ir)
    if len(cells) == 1:
        (cell,) = cells.values()
        return cell
    return step.cell({node: step.load(cell) for node, cell in cells.items()})


def _leaves(step: Step, scope: Scope, ir: IR) -> dict[str, Cell]:
    """Outputs of the completed nodes whose taken edges lead to no node that ran, by id."""
    cells: dict[str, Cell] = {}
    if ir.plain:
        for node in ir.sinks:
            outcome = step.outcome(scope, node.id)
            if outcome is not None and outcome.on not in {"skipped", "cancelled"}:
                cells[node.id] = outcome.output
        return cells
    for id, node in ir.nodes.items():
        outcome = step.outcome(scope, id)
        if completed(outcome) and not any(
            step.outcome(scope, edge.target.id) is not SKIPPED
            for edges in node.outs.values()
            for edge in edges
            if takes(edge, outcome)
        ):
            cells[id] = outcome.output
    return cells
