"""Makes a table of handlers by name from users' functions. Marking registers nothing: a scan makes the table."""

import ast
import functools
import hashlib
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final, Literal, TypeVar, cast, get_args, overload

import msgspec

from aob.core.errors import Invalid, Problem, shown
from aob.core.graph import HandlerFacts
from aob.core.graph.compiled import Effect
from aob.core.hint import meant
from aob.core.node.template import is_secret_name
from aob.core.task import Types
from aob.work.arguments import CONTEXT, Parameters, parameters_of
from aob.work.facts import Facts

MARK: Final = "__aob_node__"
VERSION_CHARS: Final = 16
APP_PREFIX: Final = "aob_app_"  # the prefix of the names of modules loaded from files
EFFECTS: Final = get_args(Effect)

Place = Literal["loop", "thread", "process"]
"""Where a handler runs: an async one on the loop, a plain one in a thread, a `cpu` one in a separate process."""

F = TypeVar("F", bound=Callable[..., object])


class Mark(msgspec.Struct, frozen=True):
    """What `@node` writes on a function. An empty name means the function's name; version None the source's hash."""

    name: str = ""
    effect: Effect = "keyed"
    deterministic: bool = False
    cpu: bool = False
    version: str | None = None
    secrets: tuple[str, ...] = ()


class Handler(msgspec.Struct, frozen=True, eq=False):
    """A function ready to be called. `takes_value` is False when it has no parameter for a value; `value_name` is the
    parameter for a single value, when that can be passed by name; `parameters` says which values are spread over names,
    and to what types they are converted."""

    name: str
    fn: Callable[..., object]
    facts: HandlerFacts
    place: Place
    takes_ctx: bool
    takes_value: bool
    value_name: str
    signature: inspect.Signature
    parameters: Parameters
    plain: bool = False
    """Whether it is called on the loop with nothing but an unconverted value."""
    secrets: tuple[str, ...] = ()
    """The names of the secrets that `ctx.secret` gives it."""

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return self.place == "loop"

    @property
    def pure(self) -> bool:
        """Whether a call has no observable effect: it declares none, runs in this process, and takes no context."""
        return self.facts.effect == "none" and self.place != "process" and not self.takes_ctx


class HandlerTable(dict[str, Handler]):
    """Handlers by name, made once and then only read. Backed by a plain dictionary, because each job looks one up."""

    def __init__(self, handlers: Iterable[Handler] = ()) -> None:
        super().__init__((handler.name, handler) for handler in handlers)
        self.facts: Final = Facts({name: handler.facts for name, handler in self.items()})
        """The same table in the form that the graph takes; workers of other processes add theirs."""
        self.agents: Mapping[str, Any] = {}
        """The agents of the same application, by name (`aob.work.topic_agents.Agent`)."""
        self.types = Types()
        """Its types of tasks and plans."""

    @property
    def pure(self) -> frozenset[str]:
        """The names of the handlers whose calls have no observable effect."""
        return frozenset(name for name, handler in self.items() if handler.pure)


@overload
def node(fn: F, /) -> F: ...


@overload
def node(
    *,
    name: str = "",
    effect: Effect = "keyed",
    deterministic: bool = False,
    cpu: bool = False,
    version: str | None = None,
    secrets: Iterable[str] = (),
) -> Callable[[F], F]: ...


def node(
    fn: F | None = None,
    /,
    *,
    name: str = "",
    effect: Effect = "keyed",
    deterministic: bool = False,
    cpu: bool = False,
    version: str | None = None,
    secrets: Iterable[str] = (),
) -> F | Callable[[F], F]:
    """Mark a function as a handler: `@node`, or `@node(name="score", effect="none", deterministic=True)`.

    `effect` is its effect on the outside (`none`, `keyed` by `ctx.key`, or `once`). `deterministic` promises the same
    output for the same input, which lets a visit be cached. `cpu` runs it in a separate process, which a cancel can
    kill. `version` replaces the default version of the code, the hash of the source. `secrets` names those that
    `ctx.secret` gives it, and no others.
    """
    mark = Mark(name, effect, deterministic, cpu, version, (secrets,) if isinstance(secrets, str) else tuple(secrets))

    def marked(function: F) -> F:
        setattr(function, MARK, mark)
        return function

    return marked if fn is None else marked(fn)


def scan(*sources: object) -> HandlerTable:
    """The table of all marked functions of modules, classes' instances, or functions. Raises Invalid listing every
    function that cannot be a handler, and every name used twice."""
    handlers: dict[str, Handler] = {}
    problems: list[Problem] = []
    for source in sources:
        for fn in marked_in(source, MARK, Mark):
            try:
                found = handler_of(fn)
            except Invalid as error:
                problems.extend(error.problems)
                continue
            known = handlers.get(found.name)
            if known is not None and known.fn != fn:
                why = f"the name `{found.name}` is taken by {where(known.fn)}"
                hint = 'give one of them another name: @node(name="...")'
                problems.append(Problem(where(found.fn), why, code="handler_twice", hint=hint))
            handlers[found.name] = found
    if problems:
        raise Invalid("the application's handlers cannot be used", problems)
    return HandlerTable(handlers.values())


def handler_of(fn: Callable[..., object]) -> Handler:
    """The handler of one marked function. Raises Invalid with the reason why it cannot be one."""
    mark = cast(Mark, getattr(fn, MARK))
    inner = inspect.unwrap(fn)
    name = mark.name or getattr(inner, "__name__", "")
    signature = inspect.signature(fn)
    problem = _unfit(mark, fn, signature)
    if problem:
        raise Invalid("not a handler", [Problem(path=where(inner), message=f"`{name}` {problem[0]}", hint=problem[1])])
    is_async = inspect.iscoroutinefunction(inner)
    takes_ctx = CONTEXT in signature.parameters
    parameters = [p for p in signature.parameters.values() if p.name != CONTEXT]
    facts = HandlerFacts(
        name, mark.version or version_of(inner), mark.effect, mark.deterministic, mark.cpu, doc_of(inner)
    )
    place: Place = "process" if mark.cpu else "loop" if is_async else "thread"
    positional = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL}]
    value_name = (
        positional[0].name if positional and positional[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD else ""
    )
    takes = parameters_of(fn, signature)
    plain = place == "loop" and not (takes_ctx or takes.spread or takes.types)
    return Handler(name, fn, facts, place, takes_ctx, bool(positional), value_name, signature, takes, plain,
                   mark.secrets)  # fmt: skip


def version_of(fn: Callable[..., object]) -> str:
    """A hash that changes with the function's own text; of its code where the text is unavailable."""
    target = fn.func if isinstance(fn, functools.partial) else fn
    try:
        text = inspect.getsource(target).encode()
    except (OSError, TypeError):
        code = getattr(target, "__code__", None)
        text = _code_text(code).encode() if isinstance(code, types.CodeType) else repr(target).encode()
    return hashlib.sha256(text).hexdigest()[:VERSION_CHARS]


def where(fn: Callable[..., object]) -> str:
    """`module:line` of a function, for people; `file:line` where the application was given as a file."""
    code = getattr(fn, "__code__", None)
    module = getattr(fn, "__module__", "") or "?"
    if not isinstance(code, types.CodeType):
        return module
    return f"{PurePath(code.co_filename).name if module.startswith(APP_PREFIX) else module}:{code.co_firstlineno}"


def doc_of(fn: Callable[..., object]) -> str:
    """The first line of the docstring."""
    return (inspect.getdoc(fn) or "").strip().split("\n", 1)[0]


def unbound(handler: Handler, args: tuple[object, ...], kwargs: Mapping[str, object]) -> str:
    """Why a call cannot be bound to the function's parameters, or an empty string when it can."""
    try:
        handler.signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return ""


def marked_in(source: object, name: str, kind: type) -> Iterator[Callable[..., Any]]:
    """The functions of a module, a class's instance or a function itself that have a mark of this name and kind."""
    if callable(source) and hasattr(source, name):
        yield source
        return
    for each in vars(source) if isinstance(source, types.ModuleType) else dir(source):
        value = getattr(source, each, None)
        if callable(value) and isinstance(getattr(value, name, None), kind):
            yield value


def _unfit(mark: Mark, outer: Callable[..., object], signature: inspect.Signature) -> tuple[str, str] | None:
    fn = inspect.unwrap(outer)
    wrong = _wrong_mark(mark)
    if wrong:
        return wrong
    if inspect.isasyncgenfunction(fn) or inspect.isgeneratorfunction(fn):
        return "is a generator", "return one value; write progress with ctx.log and ctx.heartbeat"
    if mark.cpu and inspect.iscoroutinefunction(fn):
        return "is async and cpu", "a cpu handler runs in a process of its own: make it a plain function"
    if mark.cpu and CONTEXT in signature.parameters:
        return "is cpu and takes ctx", "a process of its own cannot reach the run: leave ctx out"
    if mark.cpu and (inspect.ismethod(outer) or "<locals>" in getattr(fn, "__qualname__", "<locals>")):
        return "is cpu and not at the top of its module", "a process of its own finds it by its name: move it there"
    if mark.cpu and fn.__module__ == "__main__" and not _is_guarded(sys.modules["__main__"]):
        return (
            "is cpu, in a program that has no guard: its processes would run the program again",
            'guard what the program does with `if __name__ == "__main__":`, or move the handler to a module',
        )
    if mark.secrets and CONTEXT not in signature.parameters:
        return "names secrets and takes no ctx", "take ctx, and ask it: ctx.secret(name)"
    if mark.deterministic and mark.effect == "once":
        return "is deterministic with effect once", "what acts on the world once cannot be remembered instead"
    context = signature.parameters.get(CONTEXT)
    if context is not None and context.kind in {context.POSITIONAL_ONLY, context.VAR_POSITIONAL, context.VAR_KEYWORD}:
        return "takes ctx by position only", "write it as an ordinary parameter: def handler(value, ctx)"
    return None


def _wrong_mark(mark: Mark) -> tuple[str, str] | None:
    """The fault of a mark: a misspelled effect such as `onse` must not pass, or the handler might be repeated."""
    if mark.effect not in EFFECTS:
        hint = meant(str(mark.effect).lower(), EFFECTS, "effects")
        return f"has the effect {mark.effect!r}, which there is not", hint
    for name, kinds, what in (
        ("name", str, "a text"), ("version", (str, types.NoneType), "a text"),
        ("deterministic", bool, "True or False"), ("cpu", bool, "True or False"),
    ):  # fmt: skip
        if not isinstance(getattr(mark, name), kinds):
            return f"has {name}={getattr(mark, name)!r}", f"it is {what}"
    for each in mark.secrets:
        if not is_secret_name(str(each)):
            return f"names the secret {shown(each, 64)}", "letters, digits and `_`"
    return None


def _is_guarded(main: types.ModuleType) -> bool:
    """Whether a program can be imported without running. One without a file, such as a prompt, cannot be imported at
    all."""
    try:
        tree = ast.parse(inspect.getsource(main))
    except (OSError, TypeError, SyntaxError):
        return False
    return any(
        isinstance(name, ast.Name) and name.id == "__name__"
        for statement in tree.body
        if isinstance(statement, ast.If)
        for name in ast.walk(statement.test)
    )


def _code_text(code: types.CodeType) -> str:
    # repr of a nested code object contains its address, so constants are flattened here.
    constants = [_code_text(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()}|{constants}|{code.co_names}|{code.co_varnames}"
