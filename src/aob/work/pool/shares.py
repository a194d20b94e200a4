"""How many workers of a place a tenant may hold: alone all but the spare ones, which are for tenants that hold few. The
fewer are free, the fewer a tenant may hold: the many slow jobs of one never delay another's."""

from collections.abc import Callable
from typing import Final

PER_SPARE_MAX: Final = 4
"""Workers of a place for each spare one (at least two spare); spare ones are for tenants that hold few."""
SPARE_MIN: Final = 2  # spare workers of a place, where its size gives fewer


class Shares:
    """Counts the workers that tenants hold, of `limit` and the spare ones. A tenant may hold one more while held / free
    < limit / spare: alone it holds at most `limit`, a second one four in five of the spare ones, and so on; every
    tenant that holds none gets one while any is free."""

    __slots__ = ("held", "limit", "most", "total", "users")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.most = limit + max(SPARE_MIN, limit // PER_SPARE_MAX)
        self.total = 0
        self.held: dict[str, int] = {}
        self.users: list[Callable[[], None]] = []
        """Those who take from it, if several: each is called when another gives one back."""

    def may(self, tenant: str) -> bool:
        """Whether this tenant may hold one more. Always, while fewer than `limit` are held."""
        limit, most = self.limit, self.most
        return self.total < limit or self.held.get(tenant, 0) * (most - limit) < limit * (most - self.total)

    def take(self, tenant: str) -> None:
        """Count one more for this tenant."""
        self.held[tenant] = self.held.get(tenant, 0) + 1
        self.total += 1

    def give(self, tenant: str) -> None:
        """Count one less for this tenant."""
        left = self.held[tenant] - 1
        if left:
            self.held[tenant] = left
        else:
            del self.held[tenant]
        self.total -= 1
        if len(self.users) > 1:
            self.users.append(self.users.pop(0))
            for free in list(self.users):
                free()
