"""Records of topics and groups that read them, as the API shows them. Data only."""

from aob.core.topic import answer as answers

__all__ = ["answers"]
