"""decide(run, command, given, now) -> Decision: the law of a run. Pure and total: no clock, no I/O, no randomness. Only
reads the run. An impossible command raises an AobError and changes nothing; an outdated one (an old attempt, a missing
token) gives no events."""

from collections import deque
from collections.abc import Callable
from itertools import takewhile
from math import log
from typing import Any, Final

import msgspec
from msgspec import Raw

from aob.core.answers import JsonObject
from aob.core.errors import Conflict, NotFound, Refused
from aob.core.event import derived_id
from aob.core.graph.compiled.ir import IR
from aob.core.intents import Intents
from aob.core.run.effects import LAST, Hop
from aob.core.run.ending import error_cell, fail_node
from aob.core.run.inner import conclude
from aob.core.run.patching import propose, roll_back
from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from aob.core.run.state.folding import evolve
from aob.core.run.state.run import READY, Run, Scope, Token
from aob.core.run.stepping.given import Given, Graphs
from aob.core.run.stepping.step import Step
from aob.core.run.tickets import answer, cancel, decide_patch, fire, message
from aob.core.value import decode

LOST_MAX: Final = 10  # Attempts of a visit that may be lost to dead workers before it fails for good.

BACKOFF_LOG_MAX: Final = 50.0
"""A back-off stops growing at e^50 times its first wait: `max` was reached long before, and no float overflows."""

NOT_HAPPENED: Final = Raw(b'{"code":"not_happened","message":"a handler looked: it had not happened"}')

AFTER_MAX_MS: Final = 7 * 86_400_000  # A service may delay its next call by at most a week.


class Decision(msgspec.Struct, gc=False):
    """The result of a command: events, values stored outside the record, and the new graphs."""

    events: list[Any]
    values: dict[bytes, bytes]
    graphs: Graphs


def decide(run: Run, command: cmd.RunCommand, given: Given, now: int) -> Decision:
    """The events of a command. Raises AobError if it is refused, Needs if a value must be fetched."""
    step = Step(run, given, now)
    if run.quarantined and not isinstance(command, cmd.Release | cmd.Cancel | cmd.Start):
        _refuse_aside(run, command)
        return Decision([], step.values, given.graphs)
    _RULES[type(command)](step, command)
    if step.touched or step.inner or type(command) is cmd.Continue:
        conclude(step)
    if given.begun:
        given.begun.clear()
    return Decision(step.events, step.values, step.given.graphs)


def _refuse_aside(run: Run, command: cmd.RunCommand) -> None:
    """Refuses commands with a caller while a run is quarantined. Reports and timers are dropped, for they are repeated
    after the release."""
    if isinstance(command, cmd.Intend | cmd.Settle):
        raise Refused(f"{run.id} is set aside: {command.visit} may not act", code="token_gone")
    if isinstance(command, cmd.Answer | cmd.Propose | cmd.ClosePatch | cmd.Message | cmd.Repin):
        raise Conflict(f"{run.id} is set aside: {run.quarantined}", code="run_quarantined", hint=f"aob why {run.id}")


Hopped = tuple[list[ev.RunEvent], bytes, Hop]
"""A folded plain hop: its events, as objects and as bytes, and their effects."""


def hop(run: Run, command: cmd.Complete, graphs: Graphs, now: int) -> Hopped | None:
    """Does what `decide`, `evolve`, `encode_events` and `react` do for a completion, in one step, if it only leads to
    jobs of its scope, or was the last and its output is the run's. Otherwise None, without changes."""
    visit, attempt, tokens = command.visit, command.attempt, run.tokens
    token = tokens.get(visit)
    if token is None or token.attempt != attempt or token.state != READY or run.timers or run.quarantined:
        return None
    path, id = token.scope, token.node
    scope = run.scopes[path]
    ir = graphs.body(scope.version, scope.body) if scope.body else graphs.ir(scope.version)
    node, done = ir.nodes[id], scope.done
    plan = node.plan
    if plan is None or command.patch or command.memo or command.usage is not None or run.going:
        return None
    if visit in run.waits or visit in run.bodies:
        return None
    if last := len(done) + 1 >= len(ir.nodes):
        if path or len(tokens) > 1 or run.cancelling or ir.output is not None or ir.last is not node:
            return None
    elif not plan.goes_on or any(map(done.__contains__, plan.ready)):
        return None
    output, took_us, ready = command.output, command.took_us, [*plan.ready]
    completed = ev.NodeCompleted(visit, attempt, "success", output, b"", None, ready, took_us=took_us)
    events: list[ev.RunEvent] = [completed]
    name = msgspec.json.encode(visit) if path else plan.name
    data = b"[[33,%b,%d,%b,%b,%d]" % (name, attempt, output, plan.written, took_us)
    del tokens[visit]
    done[id] = completed
    if scope.signals:
        scope.signals.pop(id, None)
    if last:
        events.append(ev.RunFinished("COMPLETED", now, output))
        evolve(run, events[1])
        return events, b"%b,[34,%d]]" % (data, now), LAST
    jobs = []
    for target in ready:
        job = scope.prefix + target
        tokens[job] = Token(job, path, target, 1, READY)
        jobs.append((job, 1))
    run.ready += len(ready) - 1
    if path:
        scope.live.pop(id, None)
        scope.live.update(dict.fromkeys(ready))
    return events, data + b"]", Hop(jobs)


def _start(step: Step, command: cmd.Start) -> None:
    run = step.run
    if run.workflow:
        _same_start(run, command)
        return
    ir = step.given.graphs.ir(len(command.overlay))
    deadline = step.now + ir.spec.run_ms if ir.spec.run_ms else 0
    mine = step.run = Run(command.run)  # the future run: entry nodes read its inputs
    mine.inputs, mine.workflow, mine.tag = command.inputs, command.workflow, command.tag
    mine.tenant, mine.labels, mine.version = command.tenant, command.labels, command.version
    mine.rules, mine.again = command.rules, command.again
    event = ev.RunStarted(
        command.run, command.workflow, command.artifact, command.version, command.tag, command.tenant, command.by,
        step.now, command.inputs, command.digest, command.mode, command.priority, deadline, command.depth,
        command.labels, command.overlay, command.fork, rules=command.rules, given=command.given,
        by_key=command.by_key, authors=list(command.authors), again=command.again, trace=command.trace,
    )  # fmt: skip
    step.events.append(event)
    root = Scope("", "", len(command.overlay), "", 0, command.inputs)
    step.opened[""] = root
    step.touched[""] = root
    copied = {item.visit: item for item in command.copied} if command.copied else None
    if copied:
        step.copied = frozenset(copied)
    for node in ir.entry:
        step.enter(root, ir, node, event)
    if copied:
        _copy(step, root, ir, copied)
    if deadline:
        step.set_timer("run", "", "run", deadline)


def _same_start(run: Run, command: cmd.Start) -> None:
    """Accepts a repeated start; raises Conflict with the difference for any other start."""
    was: JsonObject = {"workflow": run.workflow, "tag": run.tag}
    now: JsonObject = {"workflow": command.workflow, "tag": command.tag}
    known = run.given is not None and command.given is not None
    for name in {*run.labels, *command.labels} if not known else {*(run.given or ()), *(command.given or ())}:
        was[f"labels.{name}"] = run.labels.get(name) if not known or name in (run.given or ()) else None
        now[f"labels.{name}"] = command.labels.get(name) if not known or name in (command.given or ()) else None
    differs = {name: {"was": was[name], "is": now[name]} for name in sorted(was) if was[name] != now[name]}
    if run.inputs_digest != command.digest:
        differs["inputs"] = {"was": f"sha256:{run.inputs_digest.hex()}", "is": f"sha256:{command.digest.hex()}"}
    if differs or run.tenant != command.tenant:
        why = f"{run.id} was started with other {', '.join(sorted(differs))} under the same key"
        raise Conflict(why, code="start_exists", hint="use another key, or ask for the same", differs=differs)


def _copy(step: Step, root: Scope, ir: IR, copied: dict[str, Any]) -> None:
    """A fork: routes outcomes of another run as if they had happened here, in an order that edges allow."""
    nodes = [ir.nodes[visit] for visit in copied if visit in ir.nodes]
    before = {node.id: sum(edge.source.id in copied for edge in node.ins) for node in nodes}
    next_ones = deque(node for node in nodes if not before[node.id])
    while next_ones:
        node = next_ones.popleft()
        if step.outcome(root, node.id) is None:
            item = copied[node.id]
            event = ev.NodeCompleted(node.id, item.attempt, item.on, item.output, b"", item.took, copied=True)
            step.route(root, ir, node, event)
        for target in (edge.target for edges in node.outs.values() for edge in edges):
            if target.id in before:
                before[target.id] -= 1
                if not before[target.id]:
                    next_ones.append(target)


def _token(step: Step, visit: str, attempt: int) -> Token | None:
    """The token, if this attempt of it is current and may still report."""
    token = step.run.tokens.get(visit)
    if token is None or token.attempt != attempt or token.state != READY:
        return None
    return token


def _complete(step: Step, command: cmd.Complete) -> None:
    run, token = step.run, _token(step, command.visit, command.attempt)
    if token is None:
        return
    scope, ir, node = step.place(token)
    patch = run.patches.get(command.patch)
    if patch is not None and patch.state == "proposed" and node.spec.hold:
        held = ev.NodeHeld(command.visit, command.attempt, command.output, b"", command.patch, command.usage)
        step.events.append(held)
        return
    if run.timers:
        step.drop_timers(command.visit)
    event = ev.NodeCompleted(
        command.visit, command.attempt, "success", command.output, b"", None, [], [], [], [],
        command.took_us, command.memo, False, command.usage,
    )  # fmt: skip
    step.route(scope, ir, node, event)


def _fail(step: Step, command: cmd.Fail) -> None:
    token = _token(step, command.visit, command.attempt)
    if token is None:
        return
    scope, ir, node = step.place(token)
    retry = node.spec.retry
    tries = token.attempt - token.lost  # lost attempts do not count
    if command.transient and tries < retry.attempts:
        doubled = min(tries - 1, BACKOFF_LOG_MAX / max(log(retry.factor), 0.001))
        wait = min(retry.max_ms, retry.first_ms * retry.factor**doubled)
        wait *= 1 + retry.jitter * _dice(step.run.id, token.visit, token.attempt)
        wait = max(min(command.after_ms, AFTER_MAX_MS), wait)
        due = step.now + round(wait)
        step.events.append(ev.AttemptFailed(token.visit, token.attempt, command.error, due))
        step.set_timer(f"retry{token.attempt}:{token.visit}", token.visit, "retry", due)
        return
    fail_node(step, scope, ir, node, token.attempt, command.error)


def _dice(*parts: object) -> float:
    """A number in [-1, 1) hashed from its parts: jitter that a replay reproduces."""
    return int(derived_id("dice", *parts)[-8:], 16) / 2**31 - 1


def _lost(step: Step, command: cmd.Lost) -> None:
    token = _token(step, command.visit, command.attempt)
    if token is None:
        return
    scope, ir, node = step.place(token)
    if command.why != "stop" and token.crashes + 1 >= LOST_MAX:
        why = f"{token.crashes + 1} attempts of {token.visit} were lost with their worker"
        fail_node(step, scope, ir, node, 0, error_cell(step, "lost_too_often", why))
        return
    open_intents = list(token.intents.open) if token.intents else []
    asked = ""
    for intent in open_intents:
        effect = decode(intent.what).get("effect", "once")
        then = node.spec.on_uncertain if effect == "once" else "repeat"
        step.events.append(ev.Uncertain(token.visit, token.attempt, intent.number, then))
        asked = asked or (then if then != "repeat" else "")
    if asked == "ask":
        question = f"{token.visit} was cut off: did it happen?" + (f" ({command.said})" if command.said else "")
        told = [{"kind": intent.kind, "what": decode(intent.what)} for intent in open_intents]
        step.open_ticket(
            ev.TicketOpened(
                step.ticket_id(token.visit, token.attempt, "uncertain"), token.visit, "uncertain", "approve",
                question, ["done", "repeat", "fail"], {"output": {}}, step.cell(told),
            )
        )  # fmt: skip
        return
    cause = "verify" if asked else "lost"
    step.events.append(ev.TokenReady(token.visit, token.attempt + 1, cause, command.why == "stop"))


def _note(step: Step, command: cmd.Note) -> None:
    if not step.run.final:
        step.events.append(command.event)


def _intend(step: Step, command: cmd.Intend) -> None:
    token = _token(step, command.visit, command.attempt)
    if token is None:
        raise Refused(f"{command.visit} attempt {command.attempt} may not act any more", code="token_gone")
    intents = token.intents or Intents()
    known = intents.find(command.kind, command.digest, command.count)
    if known is not None and not known.failed and (known.result is not None or known.attempt == command.attempt):
        return
    if token.verify:  # a handler has verified: what an earlier attempt began did not happen
        for each in takewhile(lambda each: each.attempt < command.attempt, intents.open):
            if each is not known:
                step.events.append(ev.IntentSettled(command.visit, each.number, NOT_HAPPENED, True))
    number = known.number if known is not None else 1 + intents.last
    kind, digest, what, count = command.kind, command.digest, command.what, command.count
    step.events.append(ev.Intent(command.visit, command.attempt, number, kind, digest, what, count))


def _settle(step: Step, command: cmd.Settle) -> None:
    if _token(step, command.visit, command.attempt) is None:
        raise Refused(f"{command.visit} attempt {command.attempt} may not report any more", code="token_gone")
    intents = step.run.tokens[command.visit].intents
    known = intents.get(command.number) if intents else None
    if known is not None and known.result is not None:
        return  # already settled; only the answer was lost
    step.events.append(ev.IntentSettled(command.visit, command.number, command.result, command.failed, command.usage))


def _save(step: Step, command: cmd.Save) -> None:
    if _token(step, command.visit, command.attempt) is not None:
        step.events.append(ev.Checkpoint(command.visit, command.attempt, command.data))


def _continue(step: Step, command: cmd.Continue) -> None:
    step.later = iter(step.run.going)


def _release(step: Step, command: cmd.Release) -> None:
    if not step.run.quarantined or step.run.final:
        return
    step.events.append(ev.RunReleased(command.by))
    for token in list(step.run.tokens.values()):
        if token.state == READY and not step.finished and token.intents and token.intents.open:
            _lost(step, cmd.Lost(token.visit, token.attempt, "stop"))  # stopped during an effect


def _pin(step: Step, command: cmd.Pin) -> None:
    if not step.run.final and not step.run.build:
        step.events.append(ev.RunPinned(command.build, step.now))


def _repin(step: Step, command: cmd.Repin) -> None:
    run = step.run
    if run.final:
        raise Conflict(f"{run.id} has ended: it has no jobs to give out", code="run_ended")
    if step.given.graphs.ir(len(run.graph_ops)).spec.handlers != "pinned":
        raise Conflict(f"{run.id} is not pinned: its jobs go to workers of any build", code="run_not_pinned",
                       hint="its workflow says `handlers: pinned` to have one")  # fmt: skip
    if command.build != run.build:
        step.events.append(ev.RunPinned(command.build, step.now, command.by))


def _begun(rule: Callable[[Step, Any], None]) -> Callable[[Step, Any], None]:
    def checked(step: Step, command: Any) -> None:
        if not step.run.workflow:
            raise NotFound(f"there is no run {step.run.id}")
        rule(step, command)

    return checked


def _propose(step: Step, command: cmd.Propose) -> None:
    (roll_back if command.rollback_of else propose)(step, command)


_RULES: Final[dict[type, Callable[[Step, Any], None]]] = {
    cmd.Start: _start,
    cmd.Complete: _complete,
    cmd.Fail: _fail,
    cmd.Lost: _lost,
    cmd.Note: _note,
    cmd.Fire: fire,
    cmd.Cancel: _begun(cancel),
    cmd.Answer: _begun(answer),
    cmd.Propose: _begun(_propose),
    cmd.ClosePatch: _begun(decide_patch),
    cmd.Intend: _intend,
    cmd.Settle: _settle,
    cmd.Message: _begun(message),
    cmd.Save: _save,
    cmd.Continue: _continue,
    cmd.Release: _release,
    cmd.Pin: _begun(_pin),
    cmd.Repin: _begun(_repin),
}  # A rule for every command; a test checks this table against the union of commands
