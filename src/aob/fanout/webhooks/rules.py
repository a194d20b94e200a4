"""Retry delays and the circuit breaker of targets. Pure: time and dice are arguments."""

from typing import Final

import msgspec

JITTER: Final = 0.2  # jitter of a pause as a share, so that hooks do not retry a target all at once
SECOND_MS: Final = 1_000
HOUR_MS: Final = 3_600 * SECOND_MS


class Rules(msgspec.Struct, frozen=True):
    """`pauses_ms` between the attempts of one message: 8 attempts over about 28 hours. A message that the
    target refuses (3xx, 4xx) is retried for less time, and so is a redelivery, because later messages wait for it.
    After `open_after` failures the circuit of a target opens and one message probes it."""

    pauses_ms: tuple[int, ...] = (
        5 * SECOND_MS, 60 * SECOND_MS, 300 * SECOND_MS, 1_800 * SECOND_MS, 2 * HOUR_MS, 10 * HOUR_MS, 15 * HOUR_MS,
    )  # fmt: skip
    refused_attempts_max: int = 3
    again_attempts_max: int = 3
    open_after: int = 5
    probe_ms: int = 30 * SECOND_MS
    probe_ms_max: int = 600 * SECOND_MS
    retry_after_ms_max: int = HOUR_MS
    timeout_s: float = 15.0
    metric_ms: int = SECOND_MS  # a metric is sent to a hook at most once in this time
    secret_old_ms: int = 24 * HOUR_MS  # how long the old secret signs in addition to the new one
    sending_max: int = 64  # concurrent requests over all hooks

    @property
    def attempts_max(self) -> int:
        """Attempts of one message."""
        return len(self.pauses_ms) + 1

    def pause_ms(self, attempts: int, dice: float) -> int:
        """The pause after so many attempts; `dice` in [0, 1)."""
        pause = self.pauses_ms[min(attempts, len(self.pauses_ms)) - 1] if self.pauses_ms else 0
        return round(pause * (1 - JITTER + 2 * JITTER * dice))


class Circuit:
    """The circuit of one target. Closed: all send. Open: one probes at `probe_at_ms`, all others wait."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._pause_ms = rules.probe_ms
        self.failures = 0
        self.open = self.probing = False
        self.probe_at_ms = 0

    def taken(self) -> bool:
        """Asks to send; False while another hook probes."""
        if self.open and self.probing:
            return False
        self.probing = self.open
        return True

    def released(self) -> None:
        """The probe ended without an answer."""
        self.probing = False

    def answered(self) -> None:
        """The target answered."""
        self.failures, self.open, self.probing = 0, False, False
        self._pause_ms = self._rules.probe_ms

    def failed(self, now_ms: int, dice: float) -> None:
        """The target did not answer, or failed."""
        self.failures += 1
        if self.open and self.probing:
            self._pause_ms = min(self._pause_ms * 2, self._rules.probe_ms_max)
        if self.failures >= self._rules.open_after:
            self.open = True
            self.probe_at_ms = now_ms + round(self._pause_ms * (1 - JITTER + 2 * JITTER * dice))
        self.probing = False
