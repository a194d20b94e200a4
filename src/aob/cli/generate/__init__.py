"""A seed and wishes flow in, events of a small web shop flow out: the same seed gives the same events, for ever."""

from aob.cli.generate.shop import Shop, Wishes

__all__ = ["Shop", "Wishes"]
