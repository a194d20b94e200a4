"""Why a run is where it is: one sentence, and what stands behind it."""

from datetime import UTC, datetime
from typing import Any

from aob.core.duration import format_duration
from aob.core.event.value import decode
from aob.core.run import Run
from aob.core.run.state import BACKOFF, HELD, READY, Token


def why(run: Run, now_ms: int, running: frozenset[str] = frozenset(), node_of: Any = None) -> dict[str, Any]:
    """What a run waits for. `running` are the visits that a worker holds; `node_of(token)` finds a token's node."""
    details = [_detail(run, token, now_ms, running, node_of) for token in run.tokens.values()]
    details.sort(key=lambda told: _ORDER.get(told["state"], 9))
    if run.final:
        sentence = _ended(run)
    elif run.quarantined:
        sentence = f"quarantined because {run.quarantined}"
    elif details:
        sentence = details[0]["says"]
        if len(details) > 1:
            sentence += f" (and {len(details) - 1} more)"
    else:
        sentence = "nothing is left to do: its end is being written"
    return {"run_id": run.id, "status": run.status, "sentence": sentence, "details": details[:100]}


_ORDER = {"ticket": 0, "backoff": 1, "held": 2, "running": 3, "queued": 4, "timer": 5, "message": 6, "body": 7}


def _ended(run: Run) -> str:
    took = format_duration(run.ended_ms - run.started_ms)
    if run.final == "COMPLETED":
        return f"completed after {took}"
    error = decode(run.error if run.error is not None else run.output) if run.error or run.output else {}
    said = error if isinstance(error, dict) else {}
    if run.final == "CANCELLED":
        return f"cancelled after {took}: {run.cancelling}"
    where = f" at {said['visit']}" if said.get("visit") else ""
    return f"failed{where} after {took}: {said.get('message', 'no reason recorded')}"


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%H:%M:%S")


def _left(due_ms: int, now_ms: int) -> str:
    return f"{format_duration(due_ms - now_ms)} left" if due_ms > now_ms else "due now"


def _detail(run: Run, token: Token, now_ms: int, running: frozenset[str], node_of: Any) -> dict[str, Any]:
    visit = token.visit
    told: dict[str, Any] = {"visit": visit, "attempt": token.attempt}
    node = node_of(token) if node_of is not None else None
    if token.state == READY:
        state = "running" if visit in running else "queued"
        said = (
            f"{visit} is running, attempt {token.attempt}" if visit in running else f"{visit} waits for a free worker"
        )
        return {**told, "state": state, "says": said}
    if token.state == BACKOFF:
        timer = next((t for t in run.timers.values() if t.visit == visit and t.kind == "retry"), None)
        of = f" of {node.spec.retry.attempts}" if node is not None else ""
        at = f" at {_clock(timer.due_ms)}" if timer is not None else ""
        error = decode(token.error) if token.error is not None else {}
        because = f": {error['message']}" if isinstance(error, dict) and error.get("message") else ""
        return {**told, "state": "backoff", "says": f"{visit}: retry {token.attempt + 1}{of}{at}{because}"}
    if token.state == HELD:
        patch = token.kept.patch
        return {**told, "state": "held", "says": f"{visit} waits until patch {patch} is decided", "patch": patch}
    return {**told, **_open(run, visit, now_ms)}


def _open(run: Run, visit: str, now_ms: int) -> dict[str, Any]:
    for ticket in run.tickets.values():
        if ticket.visit == visit and not ticket.answer:
            left = f", {_left(ticket.due_ms, now_ms)}" if ticket.due_ms else ""
            return {"state": "ticket", "ticket": ticket.id,
                    "says": f"waiting for ticket {ticket.id} of role {ticket.role}{left}"}  # fmt: skip
    if visit in run.waits:
        name, key = run.waits[visit]
        about = f" with key {key}" if key else ""
        return {"state": "message", "says": f"{visit} waits for message {name}{about}"}
    if visit in run.bodies:
        body = run.bodies[visit]
        return {"state": "body", "says": f"{visit}: {body.closed} of {body.count} passes done, {body.live} under way"}
    timer = next((timer for timer in run.timers.values() if timer.visit == visit), None)
    if timer is not None:
        return {"state": "timer", "says": f"{visit} waits for {_clock(timer.due_ms)}, {_left(timer.due_ms, now_ms)}"}
    return {"state": "open", "says": f"{visit} waits"}
