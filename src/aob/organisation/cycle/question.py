"""A question of an agent to people: what the agent says becomes what its ticket says, or every reason why it cannot."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw

from aob.core.agent.record import Question
from aob.core.answers import JsonValue
from aob.core.duration import parse_duration
from aob.core.node import KINDS
from aob.core.rights import is_role
from aob.core.value import canonical
from aob.work import WorkError

CHOICES: Final = ("approve", "reject")
CHOICES_MAX: Final = 16
CHOICE_CHARS_MAX: Final = 64
TEXT_CHARS_MAX: Final = 4_000
NOTIFY_MAX: Final = 16  # addresses that hear of one question
_APPROVAL: Final = KINDS["approval"]  # whose form, role and escalation have the same rules
SHOWN_BYTES_MAX: Final = 64 * 1024  # of what is shown with it, and of its form


def question_of(
    text: str, now_ms: int, *, form: Mapping[str, JsonValue], choices: Iterable[str], to: str, deadline: str | float,
    notify: Iterable[str], shown: JsonValue, escalate: Sequence[Mapping[str, Any]],
) -> Question:  # fmt: skip
    """The question as its ticket has it. Raises WorkError `bad_question` with every reason why it cannot be asked."""
    picked, told = tuple(choices), (notify,) if isinstance(notify, str) else tuple(notify)
    given = {"role": to, "text": text, "form": dict(form), "notify": told, "escalate": list(escalate)}
    try:
        config: Any = msgspec.convert(given, _APPROVAL.config)
        due_ms = now_ms + parse_duration(deadline) if deadline else 0
    except (msgspec.ValidationError, ValueError) as error:
        raise _refused([str(error)]) from error
    beside = canonical(shown)
    problems = [f"{each.path} {each.message}" for each in _APPROVAL.check(config)]
    problems += _wrong(text, to, picked, told)
    if any(each.do in CHOICES and each.do not in picked for each in config.escalate):
        problems.append("/escalate approves or rejects, which is none of the choices")
    if len(beside) + len(canonical(config.form)) > SHOWN_BYTES_MAX:
        problems.append(f"/shown is over {SHOWN_BYTES_MAX:,} bytes with the form")
    if problems:
        raise _refused(problems)
    steps = tuple((now_ms + parse_duration(each.after), each.do, each.role) for each in config.escalate)
    return Question(to, text, picked, config.form, Raw(beside), due_ms, told, steps)


def _wrong(text: str, to: str, choices: tuple[object, ...], notify: tuple[str, ...]) -> Iterator[str]:
    if not 0 < len(text) <= TEXT_CHARS_MAX:
        yield f"/question has not 1 to {TEXT_CHARS_MAX:,} characters"
    fit = all(isinstance(each, str) and 0 < len(each) <= CHOICE_CHARS_MAX for each in choices)
    if not 0 < len(choices) <= CHOICES_MAX or not fit or len(set(choices)) < len(choices):
        yield f"/choices are not 1 to {CHOICES_MAX} different texts of up to {CHOICE_CHARS_MAX} characters"
    if len(notify) > NOTIFY_MAX or not all(notify):
        yield f"/notify are not up to {NOTIFY_MAX} addresses"
    if not is_role(to):
        yield f"/to is no role: {to!r}"


def _refused(problems: list[str]) -> WorkError:
    said = f"the question cannot be asked: {'; '.join(problems)}"
    return WorkError(said, code="bad_question", transient=False)
