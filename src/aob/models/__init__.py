"""Requests to a model go in, answers come out, whichever brain answers: what all adapters of `Model` share."""

from aob.models.router import LIVE, ModelRouter

__all__ = ["LIVE", "ModelRouter"]
