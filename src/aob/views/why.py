"""Why a run is in its state: one sentence, and its details."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from aob.core.answers import JsonObject, JsonValue
from aob.core.duration import format_duration
from aob.core.graph.compiled import Node
from aob.core.run import Run
from aob.core.run.state import BACKOFF, HELD, READY, Ticket, Timer, Token
from aob.core.value import decode
from aob.journal import Stuck
from aob.ports.workers import NO_BUILD, NO_LABEL, NO_WORKER, PAUSED

DETAILS_MAX: Final = 100
UNASKED_MAX: Final = 5
NOTHING: Final[Mapping[str, Stuck]] = {}
_ORDER: Final = (
    "away", "ticket", "backoff", "unheard", "paused", "running", "queued", "timer", "message", "body", "open", "beside",
    "told",
)  # fmt: skip


def why(
    run: Run,
    now_ms: int,
    running: frozenset[str] = frozenset(),
    node_of: Callable[[Token], Node | None] = lambda token: None,
    lacks: Callable[[Node], str] = lambda node: "",
    reason: Callable[[Node], str] = lambda node: "",
    error: JsonValue = None,
    stuck: Mapping[str, Stuck] = NOTHING,
    done: Sequence[Mapping[str, JsonValue]] = (),
) -> JsonObject:
    """What a run waits for. `running` are the visits held by a worker; `node_of` finds a token's node; `lacks` names a
    node's handler that no worker has, `reason` why no worker takes its job now; `error` is the run's error as a value;
    `stuck` are the visits whose value is unavailable, `` for the run's own next decision; `done` are visits of a
    cancelled run that may have acted outside."""
    asking = _Asking(run, now_ms, running, node_of, lacks, reason, stuck)
    details = [asking.detail(token) for token in run.tokens.values()]
    details += [asking.beside(ticket) for ticket in run.tickets.values() if asking.is_beside(ticket)]
    if "" in stuck and not run.final:
        details.append({"visit": "", "attempt": 0, "state": "away", "says": f"{run.id} {_away(stuck[''])}"})
    if run.final == "CANCELLED":
        details = _told(error, done)
    details.sort(key=lambda told: _ORDER.index(told["state"]))
    if run.final:
        sentence = _ended(run, error, details)
    elif run.quarantined:
        sentence = f"quarantined because {run.quarantined}"
    elif details:
        sentence = details[0]["says"]
        if len(details) > 1:
            sentence += f" (and {len(details) - 1} more)"
    else:
        sentence = "nothing is left to do: its end is being written"
    return {"run_id": run.id, "status": run.status, "sentence": sentence, "details": details[:DETAILS_MAX]}


def _told(error: JsonValue, done: Sequence[Mapping[str, JsonValue]]) -> list[JsonObject]:
    """The effects before a cancel: those begun, and those completed."""
    begun = error.get("intents", ()) if isinstance(error, dict) else ()
    told = [
        {"visit": each["visit"], "attempt": each["attempt"], "state": "told", "what": each["what"],
         "says": f"{each['visit']} intended {each['kind']}: {_BECAME[each['state']]}"}
        for each in begun
        if not (isinstance(each["what"], dict) and each["what"].get("effect") == "none")
    ]  # fmt: skip
    told += [
        {"visit": each["visit"], "attempt": each["attempt"], "state": "told",
         "says": f"{each['visit']} ({each['kind']}, effect {each['effect']}) was done"}
        for each in done
    ]  # fmt: skip
    return told


_BECAME: Final = {"not known": "it is not known whether it happened", "failed": "it failed", "done": "it was done"}


def _ended(run: Run, error: JsonValue, told: Sequence[Mapping[str, JsonValue]] = ()) -> str:
    took = format_duration(run.ended_ms - run.started_ms)
    if run.final == "COMPLETED":
        return f"completed after {took}"
    if run.final == "CANCELLED":
        world = f"; the world was told before: {'; '.join(each['says'] for each in told[:3])}" if told else ""
        more = f" (and {len(told) - 3} more)" if len(told) > 3 else ""
        return f"cancelled after {took}: {run.cancelling}{world}{more}"
    said = error if isinstance(error, dict) else {}
    where = f" at {said['visit']}" if said.get("visit") else ""
    message = said.get("message", "no reason recorded")
    detail = said.get("detail")
    hint = detail.get("hint") if isinstance(detail, dict) else None
    mend = f" ({hint})" if hint and str(hint) not in message else ""
    return f"failed{where} after {took}: {message}{mend}"


def _away(stuck: Stuck) -> str:
    return f"waits for a value that is out of reach since {_clock(stuck.since_ms)}, and tries again: {stuck.reason}"


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%H:%M:%S")


def _left(due_ms: int, now_ms: int) -> str:
    return f"{format_duration(due_ms - now_ms)} left" if due_ms > now_ms else "due now"


class _Asking:
    """An index of what a run's tokens wait for, by visit."""

    def __init__(
        self, run: Run, now_ms: int, running: frozenset[str], node_of: Any, lacks: Any, reason: Any,
        stuck: Mapping[str, Stuck],
    ) -> None:  # fmt: skip
        self.stuck, self.reason = stuck, reason
        self.run, self.now_ms, self.running, self.node_of, self.lacks = run, now_ms, running, node_of, lacks
        self.tickets: dict[str, Ticket] = {}
        self.about: dict[str, Ticket] = {}
        self.timers: defaultdict[str, list[Timer]] = defaultdict(list)
        for ticket in run.tickets.values():
            if not ticket.answer:
                (self.about if ticket.subject == "patch" else self.tickets)[ticket.about or ticket.visit] = ticket
        for timer in run.timers.values():
            self.timers[timer.visit].append(timer)

    def detail(self, token: Token) -> JsonObject:
        """What one token waits for."""
        told: JsonObject = {"visit": token.visit, "attempt": token.attempt}
        if token.state == READY:
            return {**told, **self._ready(token)}
        if token.state == BACKOFF:
            return {**told, "state": "backoff", "says": self._backoff(token)}
        if token.state == HELD:
            return {**told, **self._held(token)}
        return {**told, **self._open(token.visit)}

    def is_beside(self, ticket: Ticket) -> bool:
        """Whether a ticket is open without a waiting token: a patch proposed from outside."""
        if ticket.answer or ticket.subject != "patch":
            return False
        token = self.run.tokens.get(ticket.visit)
        return token is None or token.state != HELD

    def beside(self, ticket: Ticket) -> JsonObject:
        """Such a ticket, listed after everything that the run really waits for."""
        return {"visit": ticket.visit, "attempt": 0, "state": "beside", "ticket": ticket.id, "patch": ticket.about,
                "says": f"{self._ticket(ticket)}: patch {ticket.about}; the run goes on meanwhile"}  # fmt: skip

    def _ready(self, token: Token) -> JsonObject:
        visit, node = token.visit, self.node_of(token)
        if visit in self.stuck:
            return {"state": "away", "says": f"{visit} {_away(self.stuck[visit])}"}
        if visit in self.running:
            return {"state": "running", "says": f"{visit} is running, attempt {token.attempt}"}
        lacking = self.lacks(node) if node is not None else ""
        if lacking:
            return {"state": "unheard", "handler": lacking,
                    "reason": NO_WORKER,
                    "says": f"{visit} waits: no worker has handler {lacking} (start with --app MODULE)"}  # fmt: skip
        reason = self.reason(node) if node is not None else ""
        if reason == PAUSED:
            name = node.config.handler
            return {"state": "paused", "handler": name, "reason": reason,
                    "says": f"{visit} waits: handler {name} is paused (aob handler resume {name})"}  # fmt: skip
        if reason:
            return {"state": "unheard", "handler": getattr(node.config, "handler", node.kind), "reason": reason,
                    "says": f"{visit} waits: {self._lacking(node, reason)}"}  # fmt: skip
        return {"state": "queued", "says": f"{visit} waits for a free worker"}

    def _lacking(self, node: Node, reason: str) -> str:
        """What workers lack for the job of a node."""
        if node.kind != "function":
            return f"no worker performs {node.kind} with all that it needs (aob serve worker)"
        name = node.config.handler
        if reason == NO_LABEL:
            asked = ", ".join(f"{key}={value}" for key, value in node.spec.worker)
            return f"no worker with handler {name} has {asked}"
        if reason == NO_BUILD:
            return f"no worker with handler {name} has its build (aob worker builds)"
        return f"no worker has handler {name} (aob worker MODULE)"

    def _backoff(self, token: Token) -> str:
        node = self.node_of(token)
        timer = next((t for t in self.timers[token.visit] if t.kind == "retry"), None)
        of = f" of {node.spec.retry.attempts}" if node is not None else ""
        at = f" at {_clock(timer.due_ms)}" if timer is not None else ""
        error = decode(token.error) if token.error is not None else {}
        because = f": {error['message']}" if isinstance(error, dict) and error.get("message") else ""
        return f"{token.visit}: retry {token.attempt + 1 - token.lost}{of}{at}{because}"

    def _held(self, token: Token) -> JsonObject:
        patch = token.kept.patch
        ticket = self.about.get(patch)
        if ticket is None:
            return {"state": "open", "patch": patch, "says": f"{token.visit} waits until patch {patch} is decided"}
        return {"state": "ticket", "ticket": ticket.id, "patch": patch,
                "says": f"{self._ticket(ticket)}: patch {patch} of {token.visit}"}  # fmt: skip

    def _ticket(self, ticket: Ticket) -> str:
        left = f", {_left(ticket.due_ms, self.now_ms)}" if ticket.due_ms else ""
        asks = f": {ticket.text}" if ticket.subject == "uncertain" and ticket.text else ""
        return f"waiting for ticket {ticket.id} of role {' and '.join(ticket.needed)}{left}{asks}"

    def _unasked(self, name: str, key: str) -> str:
        """Kept messages with another name or key, which may be typing errors."""
        others = [(said, at) for _, said, at, *_ in self.run.messages if not (said == name and key in ("", at))]
        told = [f"{said} with key {at}" if at else said for said, at in dict.fromkeys(others)]
        more = f" and {len(told) - UNASKED_MAX} more" if len(told) > UNASKED_MAX else ""
        return f"; nobody asked yet for {', '.join(told[:UNASKED_MAX])}{more}" if told else ""

    def _open(self, visit: str) -> JsonObject:
        run = self.run
        if visit in self.tickets:
            ticket = self.tickets[visit]
            return {"state": "ticket", "ticket": ticket.id, "says": self._ticket(ticket)}
        if visit in run.waits:
            name, key = run.waits[visit]
            about = f" with key {key}" if key else ""
            due = next((t.due_ms for t in self.timers[visit]), 0)
            left = f", {_left(due, self.now_ms)}" if due else ""
            # what arrived before the wait and was skipped, because it does not fit its payload
            passed = [id for id, said, at, *_ in run.messages if said == name and key in ("", at)][:DETAILS_MAX]
            over = f"; passed over, for they do not fit: {', '.join(passed)}" if passed else ""
            told: JsonObject = {
                "state": "message",
                "says": f"{visit} waits for message {name}{about}{left}{over}{self._unasked(name, key)}",
            }
            return told | {"passed_over": passed} if passed else told
        if visit in run.bodies:
            body = run.bodies[visit]
            return {"state": "body", "says": f"{visit}: {body.closed} of {body.count} passes done, {body.live} open"}
        timer = next(iter(self.timers[visit]), None)
        if timer is not None:
            at, left = _clock(timer.due_ms), _left(timer.due_ms, self.now_ms)
            return {"state": "timer", "says": f"{visit} waits for {at}, {left}"}
        return {"state": "open", "says": f"{visit} waits"}
