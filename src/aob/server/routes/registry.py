"""The registry of schemas in Confluent's protocol, under /registry: its paths, media type, basic auth and errors are
that protocol's own, so its routes stand aside from the API's description."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from aob.core.errors import Unauthorized
from aob.core.verb import Gives
from aob.core.verbs.registry import schema_verbs
from aob.server.http.answer import REGISTRY, REGISTRY_MEDIA, Answer, encode
from aob.server.http.call import Call
from aob.server.http.headers import BASIC_NAME
from aob.server.http.route import NO_BODY, AnyRoute, Route, Takes

BODY_MAX: Final = 2 * 1024 * 1024
MEDIA: Final = (REGISTRY_MEDIA.decode(), "application/vnd.schemaregistry+json", "application/json")
BODY: Final = Takes[bytes](bytes, bytes, media=MEDIA, limit=BODY_MAX, optional=True, default=b"")

RegistryCall = Call[dict[str, str], bytes]


def registry_routes() -> Iterator[AnyRoute]:
    """A route for each request of the protocol."""
    for number, each in enumerate(schema_verbs.REGISTRY_ROUTES):
        verb = schema_verbs.REGISTRY_WRITE if each.writes else schema_verbs.REGISTRY_READ
        for path in (each.path, "/") if not each.path else (each.path,):
            yield Route(
                each.method, REGISTRY + path, _asking(verb.name, each.answer), name=f"registry_{number}{path[:1]}",
                summary="", verb=verb.name, role=verb.action, query=dict[str, str],
                body=NO_BODY if each.method == "GET" else BODY, gives=(Gives(200, dict, "The answer."),),
            )  # fmt: skip


def _asking(verb: str, answer: str) -> Callable[[RegistryCall], Awaitable[Answer]]:
    async def ask(call: RegistryCall) -> Answer:
        named = call.header(BASIC_NAME)
        if named is not None and named not in ("", call.who.id, call.who.name):
            raise Unauthorized("the user is not the id or the name of this key", hint="send KEY-ID:SECRET")
        body = call.body.decode("utf-8", "replace") if isinstance(getattr(call, "body", None), bytes) else ""
        told = await call.act(verb)(call.who, answer, call.params, call.query, body)
        data = told["raw"].encode() if "raw" in told else encode(told["body"])
        return Answer(data, told["status"], REGISTRY_MEDIA)

    return ask
