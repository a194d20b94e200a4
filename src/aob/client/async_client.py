"""Every verb of the API as a method with the server's own names. Answers are plain JSON, typed."""

from pathlib import Path
from typing import Self

from aob.client.async_made import Made
from aob.client.async_nouns import Events, Metrics, People, Runs, Workflows
from aob.client.place import find_place
from aob.core.answers import Health


class AsyncClient(Workflows, Runs, People, Events, Metrics, Made):
    """A client of one server. Every method raises errors of the AobError tree only."""

    @classmethod
    def of_home(cls, home: Path) -> Self:
        """The client of the server that runs on a home, with the home's own key. Raises Unavailable, Unauthorized."""
        place = find_place(home)
        return cls(place.url, place.key)

    async def health(self) -> Health:
        """The health of the server."""
        found: Health = await self._call("GET", "/v1/health")
        return found
