"""The API's own description: the OpenAPI document, and the same as a page."""

from collections.abc import Callable
from functools import cached_property

from aob.core.answers import JsonObject
from aob.core.verb import Gives
from aob.server.http.answer import HTML, Answer, Header, encode
from aob.server.http.call import Call, Nothing
from aob.server.http.page import docs_page
from aob.server.http.route import NO_BODY, AnyRoute, Route

CLOSED: Header = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'")


class Docs:
    """Two routes over a document that is made at the first request."""

    def __init__(self, document: Callable[[], JsonObject]) -> None:
        self._make = document

    @cached_property
    def _document(self) -> JsonObject:
        return self._make()

    def routes(self) -> tuple[AnyRoute, ...]:
        """`/openapi.json` and `/docs`."""
        return (
            Route(
                "GET",
                "/openapi.json",
                self.openapi,
                name="show_openapi",
                summary="The OpenAPI 3.1 document of this server.",
                verb=None,
                query=Nothing,
                body=NO_BODY,
                gives=(Gives(200, JsonObject, "The document."),),
            ),
            Route(
                "GET",
                "/docs",
                self.page,
                name="show_docs",
                summary="The same for people.",
                verb=None,
                query=Nothing,
                body=NO_BODY,
                gives=(Gives(200, str, "A page.", "text/html"),),
            ),
        )

    async def openapi(self, call: Call[Nothing, None]) -> Answer:
        """The document."""
        return Answer(encode(self._document))

    async def page(self, call: Call[Nothing, None]) -> Answer:
        """The page."""
        return Answer(docs_page(self._document).encode(), media=HTML, headers=(CLOSED,))
