"""An agent's spending: sums the usage of each call, and stops it at a limit. Pure."""

from typing import Final, TypeVar

import msgspec

from aob.core.node import AgentConfig
from aob.ports.model import Brain, Json, Usage
from aob.work.job import WorkError, permanent

CALLS_MAX: Final = 64  # model calls of one visit where the node sets no limit

Spent = TypeVar("Spent", int, float)


class Ledger:
    """Counts calls, tokens and money of one visit, including the calls of earlier attempts."""

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self.calls = 0
        self.cached = 0
        self._tokens_in: int | None = 0
        self._tokens_out: int | None = 0
        self._cost_usd: float | None = 0.0
        self._brain: Brain | None = None

    def add(self, usage: Usage, brain: Brain, *, cached: bool) -> None:
        """Count one answered call. The cost of a cached answer was paid earlier and is not counted again."""
        self.calls += 1
        self.cached += cached
        self._brain = brain
        if not cached:
            self._tokens_in = _sum(self._tokens_in, usage.tokens_in)
            self._tokens_out = _sum(self._tokens_out, usage.tokens_out)
            self._cost_usd = _sum(self._cost_usd, usage.cost_usd)

    def check(self) -> None:
        """Check that one more call is allowed. Raises WorkError (permanent) whose code names the reached limit, or
        `usage_unknown` when a limit is set and the model does not report usage."""
        config = self._config
        calls_max = config.calls_max or CALLS_MAX
        if self.calls >= calls_max:
            raise self._stop("calls_max", f"{self.calls} model calls", calls_max)
        if config.tokens_max:
            spent = self._known(self.tokens, "tokens_max")
            if spent >= config.tokens_max:
                raise self._stop("tokens_max", f"{spent} tokens", config.tokens_max)
        if config.cost_max:
            cost = self._known(self._cost_usd, "cost_max")
            if cost >= config.cost_max:
                raise self._stop("cost_max", f"{cost:.4f} USD", config.cost_max)

    @property
    def tokens(self) -> int | None:
        """Tokens in and out so far, None when a model did not say."""
        return _sum(self._tokens_in, self._tokens_out)

    def tokens_left(self) -> int:
        """How many tokens the next answer may have; 0 when there is no limit."""
        return max(self._config.tokens_max - (self.tokens or 0), 1) if self._config.tokens_max else 0

    def usage(self) -> dict[str, Json]:
        """The totals, with the badge of the brain that answered last. None is unknown, never zero."""
        return {
            "tokens_in": self._tokens_in,
            "tokens_out": self._tokens_out,
            "cost_usd": self._cost_usd,
            "calls": self.calls,
            "cached": self.cached,
            "brain": msgspec.to_builtins(self._brain),
        }

    def _known(self, value: Spent | None, limit: str) -> Spent:
        if value is None:
            why = f"`{limit}` is set, and the model does not say what it spends"
            hint = "set calls_max instead, or use a model whose usage is known"
            raise permanent(why, code="usage_unknown", limit=limit, hint=hint)
        return value

    def _stop(self, limit: str, spent: str, allowed: float) -> WorkError:
        why = f"the agent has spent {spent}, and `{limit}` allows {allowed:g}"
        return permanent(why, code=limit, limit=limit, allowed=allowed, usage=self.usage())


def _sum(left: Spent | None, right: Spent | None) -> Spent | None:
    return None if left is None or right is None else left + right
