"""The catalog: all that may be asked for, found by words, what moves what, and questions over it."""

from aob.client.async_wire import AsyncWire
from aob.client.request import Query
from aob.core.answers import JsonObject
from aob.core.metric_answers import CatalogAnswer, Lineage, QueryAnswer, SearchHit


class Catalog(AsyncWire):
    """Calls about the catalog."""

    async def catalog(self) -> CatalogAnswer:
        """All that may be asked for."""
        found: CatalogAnswer = await self._call("GET", "/v1/catalog")
        return found

    async def search(self, words: str, *, kind: str = "", limit: int = 20) -> list[SearchHit]:
        """Things of the catalog by words, best first."""
        query: Query = {"q": words, "kind": kind, "limit": limit}
        found: list[SearchHit] = (await self._call("GET", "/v1/search", query=query))["hits"]
        return found

    async def lineage(self, *, metric: str = "", event: str = "") -> Lineage:
        """What moves what: all of it, or what touches one name."""
        found: Lineage = await self._call("GET", "/v1/lineage", query={"metric": metric, "event": event})
        return found

    async def query(self, body: JsonObject) -> QueryAnswer:
        """Rows: `{metrics, dimensions?, where?, window?, since?, until?, step?, order?, limit?}`,
        `{entity, fields?, where?, limit?}`, or `{sql, parameters?, min_position?}`."""
        found: QueryAnswer = await self._call("POST", "/v1/query", body=body)
        return found
