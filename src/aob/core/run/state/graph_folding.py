"""Rules of `evolve` for the graph of a run: decided nodes, patches, scopes opened, moved and closed. Each changes the
given run. Decides nothing, reads no graph."""

from aob.core.items import PAGE_ITEMS
from aob.core.run.record import events as ev
from aob.core.run.state.run import READY, SKIPPED, Patch, Run, Scope, Token, body_of


def decide_nodes(run: Run, scope: Scope, ready: list[str], skipped: list[str]) -> None:
    """Gives ready nodes of a scope their token, and skipped ones their outcome."""
    prefix, path, tokens = scope.prefix, scope.path, run.tokens
    for node in ready:
        visit = prefix + node
        tokens[visit] = Token(visit, path, node, 1, READY)
    run.ready += len(ready)
    if path and ready:
        scope.live.update(dict.fromkeys(ready))
    for node in skipped:
        scope.done[node] = SKIPPED
        scope.signals.pop(node, None)
        scope.live.pop(node, None)
        tokens.pop(prefix + node, None)  # a join that waited for its deadline


def feed(scope: Scope, signalled_taken: list[str], signalled_skipped: list[str]) -> None:
    """Counts taken and skipped edges of nodes that wait for others."""
    counts = scope.signals
    for node in signalled_taken:
        taken, skipped = counts.get(node, (0, 0))
        counts[node] = (taken + 1, skipped)
    for node in signalled_skipped:
        taken, skipped = counts.get(node, (0, 0))
        counts[node] = (taken, skipped + 1)


def patch_proposed(run: Run, e: ev.PatchProposed) -> None:
    """A patch is known."""
    run.patches[e.id] = Patch(
        e.id, e.author, e.kind, e.reason, e.base, e.operations, e.state, e.at_ms, e.visit, e.diff_hash, e.rules,
        e.problems, e.digest, rollback_of=e.rollback_of, key=e.key,
    )  # fmt: skip


def patch_applied(run: Run, e: ev.PatchApplied) -> None:
    """The run continues with one more overlay; its scopes are recounted."""
    patch = run.patches[e.id]
    patch.state, patch.number, patch.inverse, patch.by = "applied", e.number, e.inverse, e.by
    patch.operations, patch.agents = e.operations, e.agents
    if e.rollback_of in run.patches:
        run.patches[e.rollback_of].state = "rolled_back"
    run.graph_ops.append(e.operations)
    run.agents = max(0, run.agents + e.agents)
    for path in e.moved:
        run.scopes[path].version = e.number
    _recount(run, run.scopes[""], e.number, e)


def _recount(run: Run, scope: Scope, version: int, e: ev.PatchApplied | ev.ScopeMoved) -> None:
    scope.version = version
    for node in e.undone:
        scope.done.pop(node, None)
    for node, (taken, skipped) in e.reset.items():
        scope.signals[node] = (taken, skipped)
        if taken == skipped == 0:
            del scope.signals[node]
    decide_nodes(run, scope, e.ready, e.skipped)
    feed(scope, e.signalled_taken, e.signalled_skipped)


def scope_moved(run: Run, e: ev.ScopeMoved) -> None:
    """A scope continues under a newer version of the graph."""
    _recount(run, run.scopes[e.path], e.version, e)


def patch_closed(run: Run, e: ev.PatchClosed) -> None:
    """A patch is closed, or waits for a person."""
    patch = run.patches[e.id]
    patch.state, patch.by, patch.note = e.state, e.by, e.reason
    patch.diff_hash = e.diff_hash or patch.diff_hash
    patch.rules = e.rules or patch.rules


def scope_opened(run: Run, e: ev.ScopeOpened) -> None:
    """A pass of a body begins."""
    scope = run.scopes[e.path] = Scope(e.path, body_of(e.path), e.version, e.visit, e.index, e.item)
    body = run.bodies[e.visit]
    body.next = max(body.next, e.index + 1)
    body.live += 1
    body.open[e.index] = None
    body.window = max(body.window, body.live)  # old records do not hold it: every decision filled it
    run.going.pop(e.visit, None)
    if body.goes_on:
        run.going[e.visit] = None
    run.agents += e.agents
    decide_nodes(run, scope, e.ready, e.skipped)


def scope_closed(run: Run, e: ev.ScopeClosed) -> None:
    """A pass of a body ended; its output is kept until its page is closed."""
    run.scopes.pop(e.path, None)
    body = run.bodies.get(e.visit)
    if body is None:
        return
    body.live -= 1
    body.open.pop(e.index, None)
    body.closed += 1
    body.failed += e.failed
    if e.failed:
        body.lost[e.index] = None
    body.previous = e.output
    if body.goes_on:
        run.going[e.visit] = None
    if body.kind == "last":
        body.outputs.clear()
    elif body.kind == "map":
        page = e.index // PAGE_ITEMS
        body.filled[page] = body.filled.get(page, 0) + 1
    body.outputs[e.index] = e.output


def page_closed(run: Run, e: ev.PageClosed) -> None:
    """A page of outputs is stored as a separate value."""
    body = run.bodies[e.visit]
    body.pages[e.page] = e.ref
    for index in range(e.page * PAGE_ITEMS, (e.page + 1) * PAGE_ITEMS):
        body.outputs.pop(index, None)
