"""For people: tickets and links to them, keys, and the bytes of blobs. One request each, with typed answers."""

from collections.abc import Iterable
from typing import Final

from aob.client.async_wire import AsyncWire
from aob.client.request import names, part
from aob.core.answers import TicketLink, TicketView

PAGE: Final = 500  # tickets of one request


class People(AsyncWire):
    """Calls about tickets, keys and blobs."""

    async def tickets(
        self, *, open: bool = True, role: str | None = None, run_id: str | None = None
    ) -> list[TicketView]:
        """Tickets that wait for a person."""
        query = {"open": open, "role": role, "run_id": run_id, "limit": PAGE}
        page = await self._call("GET", "/v1/tickets", query=query)
        found: list[TicketView] = page["tickets"]
        while "next" in page:
            page = await self._call("GET", "/v1/tickets", query={**query, "cursor": page["next"]})
            found += page["tickets"]
        return found

    async def ticket_link(
        self, ticket_id: str, *, choices: Iterable[str] | None = None, expires: str | None = None, to: str | None = None
    ) -> TicketLink:
        """A signed link with which a person without a key decides; for these choices and this long, by default for all
        choices until the ticket's deadline, or 7 days."""
        body = {"choices": None if choices is None else names(choices), "expires": expires, "to": to}
        found: TicketLink = await self._call("POST", f"/v1/tickets/{part(ticket_id)}/links", body=body)
        return found

    async def blob(self, hash: str) -> bytes:
        """The bytes of a blob."""
        return await self._bytes(f"/v1/blobs/{part(hash)}")
