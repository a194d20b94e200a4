"""After an effect that may or may not have happened: the node's `verify` handler checks, and the visit goes on."""

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from aob.ports.workers import Done, Job
from aob.work.calling import Callables, call
from aob.work.job import permanent
from aob.work.outcome import finished

if TYPE_CHECKING:
    from aob.work.tools import Tools


async def verified(
    job: Job, intents: list[object], tools: "Tools", work: Callable[[], Coroutine[object, object, object]]
) -> Done:
    """The output of the visit. The handler gets those of `intents` (`{kind, what}` each), `input` and `key` that it has
    parameters for, and returns `{"happened": true, "output": …}`, or `{"happened": false}` (or True, False): then the
    work is done after all. Raises WorkError `verify_invalid` or `handler_missing` (permanent), what the handler raises,
    or what the work raises."""
    happened = await checked(job, intents, tools)
    if happened is not None:
        return finished(happened.get("output"))
    output = await work()
    return output if isinstance(output, Done) else finished(output)


async def checked(job: Job, intents: list[object], tools: Callables) -> Mapping[str, Any] | None:
    """What the handler of this process says has happened; None: nothing. Raises as `verified`."""
    name = job.task.spec.verify
    handler = tools.handlers.get(name)
    if handler is None:
        why = f"no worker has the handler {name!r}, which should verify {job.visit}"
        raise permanent(
            why, code="handler_missing", handler=name, hint="start with --app MODULE that marks it with @node"
        )
    given = arguments(job, intents)
    taken = {key: value for key, value in given.items() if key in handler.signature.parameters}
    return judged(name, await call(handler, (), taken, None, tools, job.pulse, tenant=job.tenant))


def arguments(job: Job, intents: list[object]) -> dict[str, Any]:
    """What a `verify` handler may be given."""
    return {"intents": intents, "input": job.input, "key": job.key}


def judged(name: str, answer: object) -> Mapping[str, Any] | None:
    """What a `verify` handler says has happened; None: nothing. Raises WorkError `verify_invalid`."""
    if isinstance(answer, Done):
        answer = answer.output
    if isinstance(answer, bool):
        answer = {"happened": answer}
    if not isinstance(answer, Mapping) or not isinstance(answer.get("happened"), bool):
        hint = 'return {"happened": true, "output": ...} or {"happened": false}'
        raise permanent(f"{name} does not say whether it happened", code="verify_invalid", handler=name, hint=hint)
    return answer if answer["happened"] else None
