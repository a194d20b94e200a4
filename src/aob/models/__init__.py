"""Answers requests to models: what all adapters of `Model` share."""

from aob.models.router import LIVE, ModelRouter

__all__ = ["LIVE", "ModelRouter"]
