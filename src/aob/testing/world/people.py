"""People and programs of a simulated world: their requests to a home, and acknowledgements that must hold."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final, Literal

from aob.core.answers import JsonObject
from aob.core.errors import AobError
from aob.core.policy import LOCAL
from aob.core.run import Run
from aob.core.value import decode
from aob.runs import Engine
from aob.testing.flows import random_inputs, random_patch
from aob.testing.world.ledger import Ledger
from aob.testing.world.options import Options

Move = Coroutine[Any, Any, None]
Mode = Literal["full", "fast"]
TRIES: Final = 8


class People:
    """All outside callers. `acknowledged` lists promises: a sentence and whether it holds."""

    def __init__(self, dice: Random, ledger: Ledger, told: Callable[[str], None]) -> None:
        self.dice, self.ledger, self.told = dice, ledger, told
        self.flows: list[str] = []
        self.started: dict[str, tuple[str, JsonObject, Mode]] = {}
        self.run_of: dict[str, str] = {}
        self.acknowledged: list[tuple[str, Callable[[], bool]]] = []
        self._messages = 0

    def move(self, engine: Engine, options: Options) -> Move | None:
        """A random request."""
        live = sorted(name for name, run in self.ledger.runs.items() if not run.final)
        choices: list[tuple[float, Callable[[], Move | None]]] = [
            (options.start, lambda: self._start(engine, options)),
            (options.answer, lambda: self._answer(engine, live)),
            (options.message, lambda: self._message(engine, live)),
            (options.cancel, lambda: self._cancel(engine, live)),
            (options.patch, lambda: self._patch(engine, live)),
            (options.rollback, lambda: self._roll_back(engine, live)),
        ]
        weights = [weight for weight, _ in choices]
        (chosen,) = self.dice.choices([make for _, make in choices], weights)
        return chosen()

    def promise(self, sentence: str, holds: Callable[[], bool]) -> None:
        """Record an acknowledgement: it must hold now and at the end."""
        self.acknowledged.append((sentence, holds))

    async def politely(self, what: str, work: Coroutine[Any, Any, Any]) -> Any:
        """The answer, or None when the home refused or did not answer; anything but an AobError is a bug."""
        try:
            return await work
        except AobError as error:
            self.told(f"{what}: {error.code}")
            return None

    async def moves(self, move: Move, wrong: Callable[[str], None]) -> None:
        """Do it; what is acknowledged is durable."""
        before = len(self.acknowledged)
        try:
            await move
        except Exception as error:
            wrong(f"a verb raised {type(error).__name__}: {error}")
        for rule in self.ledger.catch_up():
            wrong(rule)
        for sentence, holds in self.acknowledged[before:]:
            if not holds():
                wrong(f"acknowledged and not durable: {sentence}")

    # -- moves ------------------------------------------------------------------------------------------------------

    def _start(self, engine: Engine, options: Options) -> Move | None:
        if self.started and (len(self.started) >= options.runs or self.dice.random() < 0.15):
            key = self.dice.choice(sorted(self.started))
        else:
            key = f"k{len(self.started)}"
            mode: Mode = "fast" if self.dice.random() < options.fast else "full"
            inputs = {**random_inputs(self.dice), "mark": key}
            self.started[key] = (self.dice.choice(self.flows), inputs, mode)
        return self._starting(engine, key, options)

    async def _starting(self, engine: Engine, key: str, options: Options) -> None:
        flow, inputs, mode = self.started[key]
        told = await self.politely(f"start {key}", engine.start(LOCAL, flow, inputs, key=key, mode=mode))
        for again in range(TRIES if options.pure and key not in self.run_of else 0):
            if told is not None:
                break
            await asyncio.sleep(0.3)
            inputs = {**inputs, "mark": f"{inputs['mark']}{again}"}
            self.started[key] = flow, inputs, mode
            told = await self.politely(f"start {key}", engine.start(LOCAL, flow, inputs, key=key, mode=mode))
        if told is None:
            return
        run_id = told["run_id"]
        if self.run_of.setdefault(key, run_id) != run_id:
            raise AssertionError(f"key {key} began {run_id} and {self.run_of[key]}")
        self.promise(f"{run_id} was started", lambda: decode(self.ledger.runs.get(run_id, Run("")).inputs) == inputs)

    def _answer(self, engine: Engine, live: list[str]) -> Move | None:
        open_ones = [(name, ticket) for name in live for ticket in self.ledger.runs[name].tickets.values()
                     if not ticket.answer]  # fmt: skip
        if not open_ones:
            return None
        name, ticket = self.dice.choice(open_ones)
        return self.answering(engine, name, ticket.id, self.dice.choice(ticket.choices))

    async def answering(self, engine: Engine, run_id: str, ticket: str, choice: str) -> None:
        """Answers a ticket; once acknowledged, it stays answered."""
        told = await self.politely(f"answer {ticket}", engine.answer(LOCAL, ticket, choice))
        if told is not None:
            self.promise(f"{ticket} was answered {choice}",
                         lambda: bool(self.ledger.runs[run_id].tickets[ticket].answer))  # fmt: skip

    def _message(self, engine: Engine, live: list[str]) -> Move | None:
        if not live:
            return None
        run_id = self.dice.choice(live)
        waits = sorted(self.ledger.runs[run_id].waits.values())
        name, key = self.dice.choice(waits) if waits and self.dice.random() < 0.7 else ("paid", "k")
        return self.sending(engine, run_id, name, key)

    async def sending(self, engine: Engine, run_id: str, name: str, key: str) -> None:
        """Sends a message; once acknowledged, it is known."""
        self._messages += 1
        id = f"message{self._messages}"
        told = await self.politely(f"message {id}", engine.message(LOCAL, run_id, name, key=key, payload=1, id=id))
        if told is not None:
            self.promise(f"{id} was taken", lambda: id in self.ledger.runs[run_id].commands)

    def _cancel(self, engine: Engine, live: list[str]) -> Move | None:
        return self._cancelling(engine, self.dice.choice(live)) if live else None

    async def _cancelling(self, engine: Engine, run_id: str) -> None:
        told = await self.politely(f"cancel {run_id}", engine.cancel(LOCAL, run_id, reason="enough"))
        if told is not None:
            self.promise(f"{run_id} was cancelled", lambda: self.ledger.runs[run_id].final == "CANCELLED")

    def _patch(self, engine: Engine, live: list[str]) -> Move | None:
        if not live:
            return None
        run_id = self.dice.choice(live)
        run, versions = self.ledger.runs[run_id], self.ledger.versions[run_id]
        document = versions.document(len(run.graph_ops))
        base = versions.ir(0).hash if self.dice.random() < 0.2 else ""
        return self._patching(engine, run_id, random_patch(self.dice, document), base)

    async def _patching(self, engine: Engine, run_id: str, operations: list[JsonObject], base: str) -> None:
        body = {"operations": operations, "base": base, "reason": "better"}
        told = await self.politely(f"patch {run_id}", engine.propose(LOCAL, run_id, body))
        if told is not None:
            patch, state = told["patch_id"], told["state"]
            self.promise(f"{patch} is {state}", lambda: patch in self.ledger.runs[run_id].patches)

    def _roll_back(self, engine: Engine, live: list[str]) -> Move | None:
        applied = [(name, patch.id) for name in live for patch in self.ledger.runs[name].patches.values()
                   if patch.state == "applied"]  # fmt: skip
        if not applied:
            return None
        run_id, patch = self.dice.choice(applied)
        return self._rolling_back(engine, run_id, patch)

    async def _rolling_back(self, engine: Engine, run_id: str, patch: str) -> None:
        await self.politely(f"roll back {patch}", engine.rollback(LOCAL, patch))
