"""Feeds of a source, each read once for all its readers: asks of readers go in, their items come out."""

from aob.fanout.shared.feeds import Feeds
from aob.fanout.shared.follower import Follower, items_of
from aob.fanout.shared.kept_feed import Item, KeptFeed, steadily

__all__ = ["Feeds", "Follower", "Item", "KeptFeed", "items_of", "steadily"]
