"""Checks one event type: schema, rules, entities, subject, units, and examples."""

from collections.abc import Generator, Iterator, Sequence

from aob.core.contract.check.unit import unit_problems
from aob.core.contract.check.visible_names import ENRICHMENTS, NO_TEXT, TEXTUAL, event_names, judge, remark
from aob.core.contract_model import ContractSet, EntityMove, EventContract, Lookup
from aob.core.document.shape import Value, escape
from aob.core.errors import Problem
from aob.core.expression import EvalError, Expression
from aob.core.hint import meant
from aob.core.json_schema.problems import bad_schema, schema_problems


def event_problems(contract: EventContract, whole: ContractSet) -> Iterator[Problem]:
    """The problems of an event type."""
    at = f"event/{contract.type}@{contract.version}#"
    schema = dict(contract.schema)
    faults = list(bad_schema(schema, f"{at}/schema"))
    yield from faults
    if schema.get("type") != "object":
        yield Problem(f"{at}/schema", "`data` of an event is an object", "bad_schema", hint="type: object")
    yield from _paths(contract, at)
    for index, name in enumerate(contract.enrich):
        if name not in ENRICHMENTS:
            hint = meant(name, ENRICHMENTS)
            yield Problem(f"{at}/enrich/{index}", f"there is no enrichment {name}", "unknown_enrichment", hint=hint)
    yield from _moves(contract, whole, at)
    if faults:
        return
    if contract.subject:
        yield from _text(contract, contract.subject, f"{at}/subject", "a subject")
    for name, lookup in contract.lookup.items():
        yield from _lookup(contract, name, lookup, whole, f"{at}/lookup/{escape(name)}")
    rules = yield from _rules(contract, at)
    for index, entity in enumerate(contract.entities):
        yield from _entity(contract, entity, f"{at}/entities/{index}")
    for index, example in enumerate(contract.examples):
        yield from _example(contract, rules, example, f"{at}/examples/{index}")


def _lookup(contract: EventContract, name: str, lookup: Lookup, whole: ContractSet, at: str) -> Iterator[Problem]:
    """Check a join: an entity that some event changes, by a key that this event has."""
    if name in contract.enrich:
        yield Problem(at, f"{name} is an enrichment, too", "duplicate_name", hint="choose another name")
    told = {
        field for versions in whole.events.values() for event in versions.values()
        for move in event.entities if move.entity == lookup.entity for field in ("", *move.set)
    }  # fmt: skip
    if not told:
        yield Problem(f"{at}/entity", f"no event speaks of entities {lookup.entity}", "unknown_entity")
    elif lookup.field not in told:
        hint = meant(lookup.field, frozenset(told - {""}))
        yield Problem(f"{at}/field", f"no event sets {lookup.field} of {lookup.entity}", "unknown_field", hint=hint)
    judged = judge(lookup.key, f"{at}/key", event_names(contract, enriched=False))
    yield from judged.problems
    if judged.kind in NO_TEXT:
        yield remark(lookup.key, f"{at}/key", f"a key is a text, and this is {judged.kind}")


def fields_of(schema: Value, name: str = "") -> Iterator[str]:
    """The paths of the fields of a schema, as for units and PII: `customer.email`, `items[].price`."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for key, field in (properties or {}).items() if isinstance(properties, dict) else ():
        path = f"{name}.{key}" if name else str(key)
        yield path
        yield from fields_of(field, path)
        if isinstance(field, dict) and isinstance(field.get("items"), dict):
            yield f"{path}[]"
            yield from fields_of(field["items"], f"{path}[]")


def clashes(expression: Expression, contract: EventContract, path: str) -> Iterator[Problem]:
    """Incompatible units in an expression over one event."""
    yield from unit_problems(
        expression, path, lambda each: contract.units.get(".".join(each.fields)) if each.root == "data" else None
    )


def _paths(contract: EventContract, at: str) -> Iterator[Problem]:
    known = frozenset(fields_of(dict(contract.schema)))
    for key, named in (("pii", contract.pii), ("units", contract.units)):
        for path in named:
            if known and path not in known:
                message = f"there is no field {path}"
                yield Problem(f"{at}/{key}/{escape(path)}", message, "unknown_field", hint=meant(path, known))


def _moves(contract: EventContract, whole: ContractSet, at: str) -> Iterator[Problem]:
    for index, name in enumerate(contract.moves or ()):
        path = f"{at}/moves/{index}"
        if name not in whole.metrics:
            yield Problem(path, f"there is no metric {name}", "unknown_metric", hint=meant(name, tuple(whole.metrics)))
        elif contract.type not in whole.types_of(name):
            hint = f"add {{on: {contract.type}}} to the `moves` of {name}"
            yield Problem(path, f"{name} is not moved by {contract.type}", "not_moved", hint=hint)


def _rules(contract: EventContract, at: str) -> Generator[Problem, None, list[tuple[str, Expression]]]:
    found: list[tuple[str, Expression]] = []
    seen = set[str]()
    for index, rule in enumerate(contract.rules):
        if rule.name in seen:
            yield Problem(f"{at}/rules/{index}/name", f"rule `{rule.name}` stands twice", "duplicate_id")
        seen.add(rule.name)
        path = f"{at}/rules/{index}/rule"
        judged = judge(rule.rule, path, event_names(contract, enriched=False), want="bool")
        yield from judged.problems
        if judged.expression is not None:
            found.append((rule.name, judged.expression))
            yield from clashes(judged.expression, contract, path)
    return found


def _text(contract: EventContract, text: str, path: str, what: str) -> Iterator[Problem]:
    judged = judge(text, path, event_names(contract))
    yield from judged.problems
    if judged.kind not in TEXTUAL:
        yield remark(text, path, f"{what} is a text, and this is {judged.kind}")


def _entity(contract: EventContract, entity: EntityMove, at: str) -> Iterator[Problem]:
    sight = event_names(contract)
    yield from _text(contract, entity.key, f"{at}/key", "a key")
    for name, text in entity.set.items():
        judged = judge(text, f"{at}/set/{escape(name)}", sight)
        yield from judged.problems
        if judged.expression is not None:
            yield from clashes(judged.expression, contract, f"{at}/set/{escape(name)}")
    for key, text in (("removes", entity.removes), ("when", entity.when)):
        if text:
            yield from judge(text, f"{at}/{key}", sight, want="bool").problems


def _example(
    contract: EventContract, rules: Sequence[tuple[str, Expression]], example: Value, path: str
) -> Iterator[Problem]:
    wrong = schema_problems(dict(contract.schema), example, path)
    yield from wrong
    if wrong:
        return
    names = {"data": example, "type": contract.type}
    for name, rule in rules:
        if not rule.names <= names.keys():
            continue  # an example has only data: other values of the rule are unknown here
        try:
            held = rule.eval(names)
        except EvalError as error:
            yield Problem(path, f"rule `{name}` cannot be judged: {error.detail}", "bad_example")
        else:
            if held is not True:
                yield Problem(path, f"the example breaks rule `{name}`", "bad_example")
