"""The catalog: all that may be asked for, found by words, what moves what, and questions over it.

Made from async_nouns/catalog.py by `python -m tools.make_sync`: edit that one.
"""

from aob.client.request import Query
from aob.client.sync_wire import Wire
from aob.core.answers import JsonObject
from aob.core.metric_answers import CatalogAnswer, Lineage, QueryAnswer, SearchHit


class Catalog(Wire):
    """Calls about the catalog."""

    def catalog(self) -> CatalogAnswer:
        """All that may be asked for."""
        found: CatalogAnswer = self._call("GET", "/v1/catalog")
        return found

    def search(self, words: str, *, kind: str = "", limit: int = 20) -> list[SearchHit]:
        """Things of the catalog by words, best first."""
        query: Query = {"q": words, "kind": kind, "limit": limit}
        found: list[SearchHit] = (self._call("GET", "/v1/search", query=query))["hits"]
        return found

    def lineage(self, *, metric: str = "", event: str = "") -> Lineage:
        """What moves what: all of it, or what touches one name."""
        found: Lineage = self._call("GET", "/v1/lineage", query={"metric": metric, "event": event})
        return found

    def query(self, body: JsonObject) -> QueryAnswer:
        """Rows: `{metrics, dimensions?, where?, window?, since?, until?, step?, order?, limit?}`,
        `{entity, fields?, where?, limit?}`, or `{sql, parameters?, min_position?}`."""
        found: QueryAnswer = self._call("POST", "/v1/query", body=body)
        return found
