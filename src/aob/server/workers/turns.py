"""When a worker that comes is let in: what its tenant's workers bring along costs work at every process, so it has a
pace. Other tenants wait for none of it."""

from typing import Final

from aob.core.errors import Unavailable

BROUGHT_MAX: Final = 40_000  # attempts that the workers of a tenant may bring along at once
WITHIN_S: Final = 30.0  # in which as many more are let in
COMING: Final = 10  # what coming costs, in attempts
KNOWN_MAX: Final = 1_000  # tenants that are remembered before those are forgotten whose turn is long over


class Turns:
    """For each tenant the time at which all that was let in is paid for."""

    def __init__(self) -> None:
        self._paid_s: dict[str, float] = {}

    def wait_s(self, tenant: str, brought: int, now_s: float) -> float:
        """How long a worker that brings so many attempts along is to wait. Raises Unavailable `too_many_workers` when
        that is over `WITHIN_S`."""
        paid_s = max(self._paid_s.get(tenant, now_s), now_s) + (COMING + brought) * WITHIN_S / BROUGHT_MAX
        wait_s = paid_s - now_s - WITHIN_S
        if wait_s > WITHIN_S:
            why = "the workers of this tenant come too often, or bring too many attempts along"
            raise Unavailable(why, code="too_many_workers", hint="come back later")
        if len(self._paid_s) >= KNOWN_MAX:
            self._paid_s = {each: at_s for each, at_s in self._paid_s.items() if at_s > now_s}
        self._paid_s[tenant] = paid_s
        return max(0.0, wait_s)
