"""The definition of a verb: its name, arguments, required role, responding partition and HTTP form. Knows no verb, no
server and no client."""

from aob.core.verb.entry import LIVE, UNIT, AnyVerb, Gives, Http, NoArgs, Places, Verb, having, ok, performs, places_of

__all__ = [
    "LIVE", "UNIT", "AnyVerb", "Gives", "Http", "NoArgs", "Places", "Verb", "having", "ok", "performs", "places_of",
]  # fmt: skip
