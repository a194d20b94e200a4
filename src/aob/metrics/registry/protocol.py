"""The protocol of Confluent's schema registry: a request in its paths becomes a call of the registry and an answer of
its own form, also for what is refused. Knows nothing of HTTP but status."""

from typing import Final

from aob.core.answers import JsonObject
from aob.core.errors import AobError, Conflict
from aob.core.policy import Caller
from aob.core.rights import may
from aob.core.schema import Unreadable
from aob.core.verb import performs
from aob.core.verbs.registry import schema_verbs as verbs
from aob.metrics.registry import wrong
from aob.metrics.registry.answers import ANSWERS, Answers, Raw
from aob.metrics.registry.registry import Registry
from aob.metrics.registry.request import Asked
from aob.metrics.registry.wrong import Wrong

WRITES: Final = frozenset(route.answer for route in verbs.REGISTRY_ROUTES if route.writes)


class Protocol:
    """The requests of the protocol, over the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry, self._answers = registry, Answers(registry)

    @performs(verbs.REGISTRY_READ)
    async def registry_read(self, who: Caller, args: verbs.AskRegistry) -> JsonObject:
        """A request that changes nothing. Raises Refused for one that does."""
        if args.name in WRITES:
            may(who, verbs.REGISTRY_WRITE.action)
        return await self._answer(who, args)

    @performs(verbs.REGISTRY_WRITE)
    async def registry_write(self, who: Caller, args: verbs.AskRegistry) -> JsonObject:
        """A request that changes something."""
        return await self._answer(who, args)

    async def _answer(self, who: Caller, args: verbs.AskRegistry) -> JsonObject:
        asked = Asked(who, args.path, args.query, args.body, self._registry.table(who.tenant))
        try:
            told = await ANSWERS[args.name](self._answers, asked)
        except Wrong as error:
            return {"status": error.status, "body": {"error_code": error.code, "message": error.message}}
        except Unreadable as error:
            return {"status": 422, "body": {"error_code": wrong.BAD_SCHEMA, "message": error.detail}}
        except Conflict as error:
            return {"status": 409, "body": {"error_code": wrong.INCOMPATIBLE, "message": _why(error)}}
        return {"status": 200, "raw": str(told)} if isinstance(told, Raw) else {"status": 200, "body": told}


def _why(error: AobError) -> str:
    changes = error.fields.get("changes") or [error.detail]
    return "Schema being registered is incompatible with an earlier schema: " + "; ".join(map(str, changes[:10]))
