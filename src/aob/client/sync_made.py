"""Calls made of the table of verbs: a method for each verb that is asked in one request. Their types stand in the stub
beside, which `python -m tools.make_client` writes.
Made from async_made.py by `python -m tools.make_sync`: edit that one.
"""

from collections.abc import Callable
from typing import Any

from aob.client.request import asked, told
from aob.client.sync_wire import Wire
from aob.core.verb import AnyVerb, Http
from aob.core.verbs import TABLE


class Made(Wire):
    """Calls of the table."""


def _asking(verb: AnyVerb, http: Http) -> Callable[..., Any]:
    def ask(self: Made, /, *given: Any, **named: Any) -> Any:
        return told(http, self._call(http.method, **asked(verb, http, verb.args(*given, **named))))

    ask.__name__, ask.__doc__ = verb.name, http.summary
    return ask


def add(made: type[Made], table: tuple[AnyVerb, ...]) -> None:
    """Give a class of calls the verbs of a table."""
    for verb in table:
        if verb.http and not verb.streams:
            setattr(made, verb.name, _asking(verb, verb.http[0]))


add(Made, TABLE)
