"""Port `Leases` on Postgres, by the server's clock. Every change is one call of a function, one round trip."""

from typing import Any

import msgspec

from aob.backends.postgres.database import Database
from aob.core.cluster import Lease, Member, Standing
from aob.core.errors import Conflict, NotFound
from aob.ports.cluster import FORGOTTEN, Renewed


class PostgresLeases:
    """The leases of the cluster of a schema, of this length. Closing does not close the database, which others use."""

    def __init__(self, database: Database, lease_ms: int) -> None:
        self._database, self._lease_ms = database, lease_ms
        self._sql = database.statements("leases.sql")

    async def join(self, member: Member) -> int:
        said = (member.id, member.address, member.release, member.rules, member.leaving, ",".join(member.roles))
        (now_ms,) = await self._row("join", *said, member.grpc, self._lease_ms, FORGOTTEN * self._lease_ms)
        return int(now_ms)

    async def leave(self, member: str) -> None:
        await self._row("leave", member)

    async def standing(self) -> Standing:
        now_ms, members, leases, rules = await self._row("standing")
        return Standing(
            int(now_ms), msgspec.convert(members, list[Member]), msgspec.convert(leases, list[Lease]), rules
        )

    async def take(self, shard: int, member: str) -> Lease:
        why, owner, address, term, heir, left_ms = await self._row("take", shard, member, self._lease_ms)
        if why == "no_shard":
            raise NotFound(f"there is no shard {shard}", code="no_shard")
        if why:
            raise Conflict(f"{member} is no member of the cluster", code="no_member")
        return Lease(shard, owner, address, term, heir, left_ms)

    async def renew(self, member: str) -> Renewed:
        now_ms, terms = await self._row("renew", member, self._lease_ms)
        return Renewed(int(now_ms), {int(shard): int(term) for shard, term in terms.items()})

    async def release(self, shard: int, member: str, heir: str = "") -> bool:
        (released,) = await self._row("release", shard, member, heir, self._lease_ms)
        return bool(released)

    async def close(self) -> None:
        """Does nothing: the database belongs to the process."""

    async def _row(self, name: str, *given: object) -> tuple[Any, ...]:
        row = await self._database.row(self._sql[name], given, first=True)
        assert row is not None, "each statement answers with one row"
        return row
