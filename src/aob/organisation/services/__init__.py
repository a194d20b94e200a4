"""Agents that bring records run one at a time; what they emit goes to the log."""

from aob.organisation.services.keeping import Services

__all__ = ["Services"]
