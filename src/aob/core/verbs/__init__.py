"""The one table of verbs, a file a noun: data only, read by server, clients, shards and rooms. Nothing goes in."""

from itertools import chain
from typing import Final

from aob.core.verb import AnyVerb
from aob.core.verbs import patches as patch_verbs
from aob.core.verbs import tickets as ticket_verbs

TABLE: Final[tuple[AnyVerb, ...]] = tuple(chain.from_iterable(noun.VERBS for noun in (patch_verbs, ticket_verbs)))

__all__ = ["TABLE", "patch_verbs", "ticket_verbs"]
