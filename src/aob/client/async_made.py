"""Methods made of the verb table, one per verb of one request; `python -m tools.make_client` writes their types."""

from collections.abc import Callable

from aob.client.async_wire import AsyncWire
from aob.client.request import asked, told
from aob.core.verb import AnyVerb, Http
from aob.core.verbs import TABLE


class Made(AsyncWire):
    """Calls of the table."""


def _asking(verb: AnyVerb, http: Http) -> Callable[..., object]:
    async def ask(self: Made, /, *given: object, **named: object) -> object:
        return told(http, await self._call(http.method, **asked(verb, http, verb.args(*given, **named))))

    ask.__name__, ask.__doc__ = verb.name, http.summary
    ask.__wrapped__ = verb.args  # type: ignore[attr-defined]  # for `inspect.signature`
    return ask


def add(made: type[Made], table: tuple[AnyVerb, ...]) -> None:
    """Add the verbs of a table to a class of calls."""
    for verb in table:
        if verb.http and not verb.streams:
            setattr(made, verb.name, _asking(verb, verb.http[0]))


add(Made, TABLE)
