"""`script:NAME`: a labelled model that answers by rules in a file or a list. For tests, tours and rules of thumb.
Answers with the step of the first matching rule of `NAME.yaml` (or `.yml`, `.json`), always marked `scripted`. Only
`error: {times: N}` is counted, in memory; all else depends on the request alone."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from aob.backends.script import Script, Step, parsed
from aob.core.duration import parse_duration
from aob.core.errors import CallerError, Invalid, NotFound
from aob.core.node.template import fill
from aob.ports.model import Brain, Json, ModelAnswer, ModelRequest, ToolCall, request_hash, unavailable

SCRIPT_BYTES_MAX: Final = 1_000_000
FAILURES_MAX: Final = 10_000
SUFFIXES: Final = (".yaml", ".yml", ".json")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class ScriptedModel:
    """Answers `script:NAME` from given scripts or from files of a folder, read again when they change."""

    def __init__(self, folder: Path | None = None, scripts: Sequence[Script] = ()) -> None:
        self._folder = folder
        self._given = {script.name: script for script in scripts}
        self._read: dict[str, tuple[tuple[str, int, int], Script]] = {}
        self._failures: dict[str, int] = {}

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """Answers by the first rule that matches; see `Model.ask` for the errors."""
        script = self._script(request.model.removeprefix("script:"))
        step, names = script.step(request)
        if step.delay:
            await asyncio.sleep(parse_duration(step.delay) / 1_000)
        await self._fail(step, request)
        return _answer(step, names, request)

    def _script(self, name: str) -> Script:
        if name in self._given:
            return self._given[name]
        if self._folder is None or not _NAME.fullmatch(name):
            raise _unknown(name, sorted(self._given))
        for path in (self._folder / f"{name}{suffix}" for suffix in SUFFIXES):
            if path.is_file():
                return self._load(name, path)
        raise _unknown(name, sorted(self._given))

    def _load(self, name: str, path: Path) -> Script:
        stat = path.stat()
        version = (path.suffix, stat.st_mtime_ns, stat.st_size)
        known = self._read.get(name)
        if known and known[0] == version:
            return known[1]
        if stat.st_size > SCRIPT_BYTES_MAX:
            raise Invalid(f"script {name} is larger than {SCRIPT_BYTES_MAX} bytes")
        script = Script.parse(name, path.read_bytes())
        self._read[name] = (version, script)
        return script

    async def _fail(self, step: Step, request: ModelRequest) -> None:
        error = step.error
        if error is None:
            return
        if error.times:
            key = request_hash(request)
            if len(self._failures) >= FAILURES_MAX:
                self._failures.clear()
            self._failures[key] = self._failures.get(key, 0) + 1
            if self._failures[key] > error.times:
                return
        match error.kind:
            case "hang":
                await asyncio.get_running_loop().create_future()
            case "refused":
                raise CallerError("the script refuses this request", code="model_refused")
            case kind:
                raise unavailable("the script says so", kind, error.retry_after_s)


def _unknown(name: str, known: list[str]) -> NotFound:
    hint = f"put NAME.yaml into the home's folder of scripts; known here: {', '.join(known) or 'none'}"
    return NotFound(f"there is no script {name[:80]!r}", code="model_unknown", hint=hint)


def _answer(step: Step, names: Mapping[str, Json], request: ModelRequest) -> ModelAnswer:
    turn = sum(message.role == "assistant" for message in request.messages)
    calls = tuple(ToolCall(f"call-{turn}-{n}", call.name, fill(call.args, names)) for n, call in enumerate(step.tools))
    output = msgspec.UNSET if step.answer is msgspec.UNSET else fill(step.answer, names)
    if step.patch:
        output = {**(output if isinstance(output, dict) else {}), "patch": msgspec.to_builtins(step.patch)}
    text = fill(step.text, names) if output is msgspec.UNSET else msgspec.json.encode(output).decode()
    if output is msgspec.UNSET and request.output is not None and not calls:
        output = parsed(text)
    return ModelAnswer(Brain("scripted", "scripted", request.model), output, calls, text, step.usage, step.cut)
