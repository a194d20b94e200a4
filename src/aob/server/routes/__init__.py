"""The routes of the table of verbs and, a file a noun, where HTTP differs from the verb."""

from collections.abc import Callable, Sequence
from typing import Final

from aob.core.verb import AnyVerb
from aob.core.verbs import TABLE
from aob.server.api_keys import NO_KEYS, ApiKeys
from aob.server.http.openapi import openapi
from aob.server.http.route import Table
from aob.server.http.verb_routes import Odd, verb_routes
from aob.server.routes import blobs, people, public, runs, starts, streams, workflows
from aob.server.routes.links import Links
from aob.server.routes.live import NOUNS
from aob.server.routes.registry import registry_routes

_ODD: Final[dict[str, Odd]] = {
    name: odd for noun in (starts, runs, streams, workflows, blobs, *NOUNS) for name, odd in noun.ODD.items()
}
__all__ = ["make_table"]

_REGISTRY: Final = "registry_read"
_DECIDING: Final = "deciding"  # the verb that links are for


def make_table(
    version: str,
    link_secrets: Sequence[bytes],
    now_ms: Callable[[], int],
    metrics_text: Callable[[bool], bytes] | None = None,
    api_keys: ApiKeys = NO_KEYS,
    public_url: str = "",
    verbs: Sequence[AnyVerb] = TABLE,
) -> Table:
    """All routes of a server; of some verbs only those that need no other verb. The OpenAPI document is made of the
    table that contains it."""
    links = Links(link_secrets, now_ms, api_keys.holder, public_url.rstrip("/"))
    made = list(verb_routes(verbs, {**_ODD, **people.odd_people(api_keys)}))
    at = next((at for at, route in enumerate(made) if route.name == "list_keys"), len(made))
    made[at:at] = public.HEALTH
    aside = registry_routes() if any(verb.name == _REGISTRY for verb in verbs) else ()
    docs = public.docs_routes(lambda: openapi(table, version))
    linking = links.routes() if any(verb.name == _DECIDING for verb in verbs) else ()
    table = Table((*made, *public.prometheus_routes(metrics_text), *linking, *docs), aside)
    return table
