"""Handlers that raise and return what no code of ours has made: texts that raise, our words as names, odd objects."""

import asyncio
import dataclasses
import sys
from typing import Any, NoReturn

import aob


class Sick(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise ValueError("no text")


class Deadly(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


class Bare(aob.WorkError):
    def __init__(self) -> None: ...


class Odd:
    def __repr__(self) -> str:
        raise SystemExit(4)


@dataclasses.dataclass
class Lazy:
    x: int = 0

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(5) if name == "x" else AttributeError(name)


def raised(name: str) -> NoReturn:
    odd: dict[str, BaseException] = {
        "sick": Sick(), "deadly": Deadly(), "bare": Bare(), "exit": SystemExit(Deadly()),
        "stop": StopIteration(Deadly()), "generator": GeneratorExit(), "base": BaseException(Odd()),
        "cancelled": asyncio.CancelledError(Odd()), "group": ExceptionGroup("several", [Deadly(), Sick()]),
        "half": ValueError("half \ud800 pair"),
        "detail": aob.WorkError("x", detail=Odd()), "loop": aob.WorkError("x", detail=_endless()),
        "nan": aob.WorkError("x", detail={"retry_after_s": float("nan")}),
        "when": aob.WorkError("x", detail={"retry_after_s": "soon"}),
        "text": aob.WorkError(Odd(), code=Odd()),  # type: ignore[arg-type]  # as people do
        "long": ValueError("x" * 100_000), "memory": MemoryError(), "depth": RecursionError(),
    }  # fmt: skip
    raise odd[name]


def returned(name: str) -> Any:
    odd: dict[str, Any] = {
        "odd": Odd(), "lazy": Lazy(), "key": {Odd(): 1}, "deep": [[{"a": (1, Odd())}]], "type": Odd,
        "frame": sys._getframe(), "generator": (n for n in range(3)),
    }  # fmt: skip
    return odd[name]


RAISED = (
    "sick", "deadly", "bare", "exit", "stop", "generator", "cancelled", "base", "group", "half", "detail", "loop",
    "nan", "when", "text", "long", "memory", "depth",
)  # fmt: skip
RETURNED = ("odd", "lazy", "key", "deep", "type", "frame", "generator")


def _endless() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@aob.node
async def on_loop(how: str, what: str) -> Any:
    return (raised if how == "raise" else returned)(what)


@aob.node
async def later(how: str, what: str) -> Any:
    await asyncio.sleep(0)
    return (raised if how == "raise" else returned)(what)


@aob.node
def in_thread(how: str, what: str) -> Any:
    return (raised if how == "raise" else returned)(what)


@aob.node(cpu=True)
def in_process(how: str, what: str) -> Any:
    return (raised if how == "raise" else returned)(what)


@aob.node(effect="once")
async def only_once(how: str, what: str) -> Any:
    return (raised if how == "raise" else returned)(what)


@aob.node
async def talks(ctx: Any) -> str:
    ctx.log("x", attempt=1, message="mine", self=2, visit="v", at="then", run="r", event="e", message_="taken")
    ctx.log(Odd(), thing=Odd())
    ctx.log(None)
    ctx.log(7, lazy=Lazy(), depth=_endless())
    return "said"


@aob.node
def talks_in_a_thread(ctx: Any) -> str:
    ctx.log("x", attempt=1, message="mine", self=2)
    return "said"
