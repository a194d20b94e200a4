"""Recorded conversations with models and the results of their tools go in; what a model would choose now comes out."""

from aob.work.trying.trying import failed_step, results_in, step_of, tried

__all__ = ["failed_step", "results_in", "step_of", "tried"]
