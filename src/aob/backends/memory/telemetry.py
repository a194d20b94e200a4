"""Port `Telemetry` without an exporter: counts stages, makes no spans."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from aob.ports.telemetry import STAGES, TRACE, Stage, Trace


class MemoryTelemetry:
    """Counts of stages in memory."""

    tracing = False

    def __init__(self) -> None:
        self._stages = {name: Stage() for name in STAGES}

    @property
    def stages(self) -> Mapping[str, Stage]:
        return self._stages

    def stage(self, name: str, seconds: float, units: int = 1, errors: int = 0) -> None:
        self._stages[name].add(seconds, units, errors)

    @contextmanager
    def span(self, name: str, parent: Trace | None = None, **attributes: str | int | float) -> Iterator[Trace | None]:
        """No span; the caller's trace stays named in the log."""
        if parent is None:
            yield TRACE.get()
            return
        token = TRACE.set(parent)
        try:
            yield parent
        finally:
            with suppress(ValueError):  # it is closed from another context
                TRACE.reset(token)

    def record(
        self, name: str, parent: Trace | None, start_ns: int, end_ns: int, **attributes: str | int | float
    ) -> Trace | None:
        """Does nothing."""
        return parent

    async def close(self) -> None:
        """Nothing to close."""
