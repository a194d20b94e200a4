"""`map` and `loop`: passes of a body, each a scope. State is a cursor, the open window, and pages of results."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from aob.core.answers import JsonValue
from aob.core.errors import TooLarge
from aob.core.graph.compiled.ir import IR, Node
from aob.core.items import CHUNK_BYTES, PAGE_ITEMS, Items, Lines, items_cell, items_listed, listed_in
from aob.core.rules import FIRST_RULES, PAGED_LOOPS_RULES
from aob.core.run.ending import cancel_passes, error_cell, fail_node, outcome
from aob.core.run.record import events as ev
from aob.core.run.state.run import EXHAUSTED, Body, Scope, body_of
from aob.core.run.stepping.given import Begun, Needs
from aob.core.run.stepping.names import evaluate, input_cell
from aob.core.run.stepping.step import DeniedError, Step
from aob.core.value import Cell, Ref, canonical, decode, ref_in

EVENTS_MAX: Final = 256  # A decision with so many events opens no further pass
OPENED_MAX: Final = 4 * 1024 * 1024  # nor does one with so many bytes of items
ITEMS_MAX: Final = 10_000_000
PASSES_MAX: Final = 1_000_000
LISTS_MAX: Final = 64
SCANNED_MAX: Final = 1024 * 1024  # bytes of NDJSON counted per decision
GATHERED_MAX: Final = 256 * 1024 * 1024  # bytes of the outputs of a page, or of a map or loop with a single page

_raw: Final = msgspec.json.Decoder(list[msgspec.Raw])


def open_map(step: Step, scope: Scope, ir: IR, node: Node) -> None:
    """Begins a map: its items become scopes, a window at a time."""
    visit = scope.prefix + node.id
    items = evaluate(step, scope, node.exprs["items"])
    ref = ref_in(items)
    if ref is not None:
        cell = ref.cell()
        count = len(_items(step, cell))
    elif isinstance(items, Items):
        cell, count = items_cell(items.ref, len(items), failed=0), len(items)
    elif isinstance(items, list):
        cell, count = step.cell(items), len(items)
    else:
        raise DeniedError(f"items of {node.id}: {type(items).__name__} is neither a list nor a blob of NDJSON")
    if count > ITEMS_MAX:
        raise DeniedError(f"items of {node.id}: {count:,} is over the limit of {ITEMS_MAX:,}")
    window = node.config.window
    step.events.append(ev.BodyOpened(visit, "map", cell, count, window))
    step.bear(scope, node.id)
    body = step.bodies[visit] = Body(visit, "map", cell, count, window)
    if count:
        step.going.append(visit)
    else:
        _end_map(step, scope, ir, node, body)


def open_loop(step: Step, scope: Scope, ir: IR, node: Node) -> None:
    """Begins a loop: its first pass gets the loop's own input."""
    visit = scope.prefix + node.id
    kind = "loop" if node.config.collect else "last"
    cell = input_cell(step, scope, node)
    count = min(node.config.max, PASSES_MAX)
    step.events.append(ev.BodyOpened(visit, kind, cell, count))
    step.bear(scope, node.id)
    step.bodies[visit] = Body(visit, kind, cell, count)
    step.going.append(visit)


def _items(step: Step, cell: Cell) -> Sequence[JsonValue]:
    """The items as a list: of raw JSON for a blob of NDJSON, of values for a list."""
    listed: JsonValue = decode(cell)
    pages = listed_in(listed)
    ref = pages or ref_in(listed)
    if ref is None:
        return listed  # type: ignore[no-any-return]  # open_map ensures that it is a list
    known = step.given.lists.get(ref.digest)
    if known is None:
        mine, given = step.values.get(ref.digest), step.given.values
        read = partial(_range, given if mine is None else {ref.digest: mine}, ref)
        if pages is not None:
            known = Items.behind(pages, listed["count"], partial(_at_hand, step.values, given))
        elif read(0, CHUNK_BYTES)[:1] == b"[":
            known = _raw.decode(step.fetch(ref))
        else:
            known = Lines(ref, read)
        step.given.lists[ref.digest] = known
        while len(step.given.lists) > LISTS_MAX:
            step.given.lists.pop(next(iter(step.given.lists)))
    if type(known) is Lines:
        try:
            counted = known.scan(SCANNED_MAX)
        except TooLarge as error:
            raise DeniedError(f"items in {ref.hex}: {error.detail}; {error.hint}", code="bad_item") from error
        if not counted:
            raise Needs(ref.part(0, 0))  # yields to others, then continues here
    return known


def _range(given: Mapping[bytes, bytes], ref: Ref, start: int, size: int) -> bytes:
    """A range of a value, from all of it if that is at hand; `size` -1 asks for all of it. Raises Needs."""
    whole = given.get(ref.digest)
    if whole is None:
        return _at_hand({}, given, ref if size < 0 else ref.part(start, size))
    return whole[start : start + size]


def _at_hand(mine: Mapping[bytes, bytes], given: Mapping[bytes, bytes], ref: Ref) -> bytes:
    """A page, for a sequence that outlives one decision. Raises Needs."""
    data = mine.get(ref.digest)
    if data is None and (data := given.get(ref.digest)) is None:
        raise Needs(ref)
    return data


def open_next(step: Step) -> bool:
    """Opens one pass of the next map or loop with room, round robin; False if there is none, or if this decision has
    enough events: the rest is in the state, and `continue` opens it."""
    while len(step.events) < EVENTS_MAX and step.brought < OPENED_MAX and not step.finished:
        visit = next(step.later, "") or (step.going.popleft() if step.going else "")
        if not visit:
            return False
        path, _, id = visit.rpartition("/")
        scope, body = step.scope(path), step.body(visit)
        if not body.goes_on or path in step.closed or step.outcome(scope, id) is not None:
            continue
        ir = step.ir_of(scope)
        node = ir.nodes[id]
        try:
            (_next_item if body.kind == "map" else _next_pass)(step, scope, ir, node, body)
        except DeniedError as denied:
            error = error_cell(step, denied.code, denied.detail)
            if body.next < body.window:  # before any pass, the error is the node's own
                cancel_passes(step, visit, f"{visit} failed")
                fail_node(step, scope, ir, node, 0, error)
            else:
                _end_early(step, scope, ir, node, body, error)
        if body.goes_on:
            step.going.append(visit)
        return True
    return False


def _next_item(step: Step, scope: Scope, ir: IR, node: Node, body: Body) -> None:
    item = canonical(_item(_items(step, body.items)[body.next], body.next))
    step.brought += len(item)
    _open_scope(step, node, body, step.version_of(scope), step.written(item))


def _item(item: JsonValue, index: int) -> JsonValue:
    """An item as a value. Parses raw JSON here, so that only valid JSON gets into a record."""
    if not isinstance(item, msgspec.Raw):
        return item
    try:
        return decode(item)
    except msgspec.DecodeError as error:
        raise DeniedError(f"item {index} is not JSON: {error}", code="bad_item") from error


def _open_scope(step: Step, node: Node, body: Body, version: int, item: Cell) -> None:
    index, path = body.next, body.path(body.next)
    body.next += 1
    body.live += 1
    event = ev.ScopeOpened(path, body.visit, index, item, version)
    step.events.append(event)
    inner = Scope(path, body_of(path), version, body.visit, index, item)
    step.opened[path] = inner
    step.passes.setdefault(body.visit, []).append(path)
    if node.body is None:
        raise DeniedError(f"{node.id} has no body")
    ir = step.ir_of(inner)
    step.touched[path] = inner
    for entry in ir.entry:
        step.enter(inner, ir, entry, event)


def close_scope(step: Step, scope: Scope, output: Cell, *, failed: bool) -> None:
    """A pass has ended: opens the next one, or ends the node."""
    visit = scope.visit
    step.events.append(ev.ScopeClosed(scope.path, visit, scope.index, output, failed))
    outer = step.scope(visit.rpartition("/")[0])
    ir = step.ir_of(outer)
    node = ir.nodes[visit.rpartition("/")[2]]
    body = step.body(visit)
    body.live -= 1
    body.closed += 1
    body.failed += failed
    body.outputs[scope.index] = body.previous = output
    if body.kind == "map":
        if failed:
            body.lost[scope.index] = None
        failed = body.failed > node.config.failures
    try:
        if body.kind == "map":
            _close_page(step, body, scope.index // PAGE_ITEMS)
        elif body.kind == "loop" and ir.rules >= PAGED_LOOPS_RULES and not body.closed % PAGE_ITEMS:
            _write_page(step, body, scope.index // PAGE_ITEMS, body.closed)
        if failed:
            _end_early(step, outer, ir, node, body, output)
        elif body.closed < body.count:
            step.going.append(visit)
        elif body.kind == "map":
            _end_map(step, outer, ir, node, body)
        else:
            _next_pass(step, outer, ir, node, body)
    except DeniedError as denied:
        _end_early(step, outer, ir, node, body, error_cell(step, denied.code, denied.detail))


def _close_page(step: Step, body: Body, page: int) -> None:
    first = page * PAGE_ITEMS
    last = min(first + PAGE_ITEMS, body.count)
    body.filled[page] = body.filled.get(page, 0) + 1
    if body.count <= PAGE_ITEMS or body.filled[page] < last - first:
        return
    _write_page(step, body, page, last)


def _write_page(step: Step, body: Body, page: int, last: int) -> None:
    """Writes a page of outputs, up to `last`, as a separate value."""
    ref = step.beside(_gathered(step, body, page * PAGE_ITEMS, last))
    body.pages[page] = ref
    step.events.append(ev.PageClosed(body.visit, page, ref))


def _gathered(step: Step, body: Body, first: int, last: int) -> bytes:
    """Outputs as one JSON list. Each value is loaded once: if one is missing, the ones before it are kept until the
    decision is made, so that outputs larger than the cache can be loaded one after the other. Raises Needs,
    DeniedError."""
    key, cells = (body.visit, first), [body.outputs[index] for index in range(first, last)]
    begun = step.given.begun.get(key)
    if begun is None or begun.cells != cells[: len(begun.cells)]:
        begun = Begun([], [], 0)
    parts, charged = begun.parts, step.paged
    step.paged += begun.paged
    size = sum(map(len, parts))
    for cell in cells[len(parts) :]:
        begun.paged = step.paged - charged
        try:
            parts.append(canonical(step.load(cell)))
        except Needs:
            step.given.begun[key] = begun
            raise
        begun.cells.append(cell)
        size += len(parts[-1])
        if size > GATHERED_MAX:
            raise DeniedError(f"these outputs of {body.visit} have more than {GATHERED_MAX >> 20} MiB: "
                              "keep what is large outside, and give back where it lies")  # fmt: skip
    begun.paged = step.paged - charged
    return b"[%b]" % b",".join(parts)


def _paged(step: Step, body: Body, count: int, **facts: int) -> Cell:
    """The pages of a map or loop as one sequence, with further facts."""
    ref, listed = items_listed([decode(body.pages[page]) for page in sorted(body.pages)], sorted(body.lost))
    step.values[ref.digest] = listed
    return items_cell(ref, count, **facts)


def _end_map(step: Step, scope: Scope, ir: IR, node: Node, body: Body) -> None:
    manifest: dict[str, object] = {"count": body.count, "failed": body.failed}
    if ir.rules != FIRST_RULES:
        lost = sorted(body.lost)
        if body.count > PAGE_ITEMS:
            cell = _paged(step, body, body.count, failed=body.failed)
            step.route(scope, ir, node, outcome(body.visit, "success", cell))
            return
        manifest["failed_items"] = lost
    if body.count <= PAGE_ITEMS:
        manifest["items"] = msgspec.Raw(_gathered(step, body, 0, body.count))
    else:
        manifest["pages"] = [decode(body.pages[page]) for page in sorted(body.pages)]
    step.route(scope, ir, node, outcome(body.visit, "success", step.written(canonical(manifest))))


def _end_early(step: Step, scope: Scope, ir: IR, node: Node, body: Body, error: Cell) -> None:
    cancel_passes(step, body.visit, f"{body.visit} failed")
    told = step.load(error)
    message = f"{body.failed} of {body.count} items failed" if body.kind == "map" else f"pass {body.closed - 1} failed"
    fail_node(step, scope, ir, node, 0, error_cell(step, "body_failed", message, told))


def _next_pass(step: Step, scope: Scope, ir: IR, node: Node, body: Body) -> None:
    """Opens the next pass of a loop, or ends it."""
    index, previous = body.next, body.previous if body.next else body.items
    if index < body.count and _goes_on(step, scope, node, index, previous):
        _open_scope(step, node, body, step.version_of(scope), previous)
        return
    exhausted = ir.rules != FIRST_RULES and index >= body.count and _would_go_on(step, scope, node, index, previous)
    if body.kind == "last":
        cell = previous
    elif body.pages:
        if index % PAGE_ITEMS:
            _write_page(step, body, index // PAGE_ITEMS, index)
        cell = _paged(step, body, index, exhausted=exhausted)
    else:
        told = {"count": index, "items": msgspec.Raw(_gathered(step, body, 0, index))}
        cell = step.written(canonical(told | {"exhausted": exhausted} if ir.rules != FIRST_RULES else told))
    step.route(scope, ir, node, outcome(body.visit, EXHAUSTED if exhausted else "success", cell))


def _goes_on(step: Step, scope: Scope, node: Node, index: int, previous: Cell) -> bool:
    condition = node.exprs.get("while")
    if condition is None:
        return True
    names = {"loop": {"index": index, "previous": step.load(previous) if index else None}}
    return evaluate(step, scope, condition, names) is True


def _would_go_on(step: Step, scope: Scope, node: Node, index: int, previous: Cell) -> bool:
    """Whether only `max` ended a loop; also True if its condition cannot be evaluated."""
    try:
        return _goes_on(step, scope, node, index, previous)
    except DeniedError:
        return True
