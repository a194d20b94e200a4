"""One model in front of all: a name's scheme selects the brain; asks are bounded in number and time."""

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from aob.core.errors import NotFound
from aob.ports.model import Model, ModelAnswer, ModelRequest, unavailable

ASK_S_MAX: Final = 600.0
ASKS_MAX: Final = 64
LIVE: Final = "*"  # the scheme for every provider


class ModelRouter:
    """All brains of a home (`Models`). `brains` maps a scheme (`script`, `recorded`, or `LIVE` for all others) to one;
    a request without a name gets `default`. At most `asks_max` calls run at once; the others wait in order."""

    def __init__(
        self, brains: Mapping[str, Model], *, default: str = "", ask_s: float = ASK_S_MAX, asks_max: int = ASKS_MAX
    ) -> None:
        self._brains = dict(brains)
        self._default = default
        self._ask_s = ask_s
        self._slots = asyncio.Semaphore(asks_max)

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """Ask the brain of the name. Raises as `Model.ask`; `model_unavailable` after `ask_s` seconds."""
        name = self.name_of(request.model)
        brain = self._brain(name)
        async with self._slots:
            try:
                async with asyncio.timeout(self._ask_s):
                    return await brain.ask(msgspec.structs.replace(request, model=name))
            except TimeoutError as error:
                raise unavailable(f"no answer within {self._ask_s:g} s", "timeout") from error

    def change_default(self, name: str) -> None:
        """Requests without a name get this model from now on."""
        self._default = name

    def name_of(self, name: str) -> str:
        """The full name of a node's `model`, which may be empty."""
        return name or self._default

    def _brain(self, name: str) -> Model:
        scheme, colon, rest = name.partition(":")
        brain = self._brains.get(scheme) or self._brains.get(LIVE)
        if not (colon and rest and brain):
            raise NotFound(
                f"there is no model {name[:80]!r}" if name else "no model is named, and the home has no default model",
                code="model_unknown",
                hint="name one: script:NAME, recorded:NAME or PROVIDER:MODEL, in the node or as the home's default",
            )
        return brain
