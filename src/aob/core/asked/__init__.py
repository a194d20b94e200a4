"""What a stream that has asked an agent is told, and what it tells: data only."""

from aob.core.asked.telling import Answered, GivenUp

__all__ = ["Answered", "GivenUp"]
