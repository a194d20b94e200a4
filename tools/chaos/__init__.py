"""Faults on a whole cluster under load, by a seed: what is broken and when is a pure function of it. At the
end an outside ledger and the platform's own answers are held against what was acknowledged."""

from tools.chaos.schedule import Fault, schedule

__all__ = ["Fault", "schedule"]
