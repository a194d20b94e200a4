"""Values too large for a frame: they lie in the blobs of the server, reached over HTTP with the worker's key."""

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final

from aob.work import WorkError
from aob.worker.wire import pb

if TYPE_CHECKING:
    import httpx

AGAIN_S: Final = (0.1, 0.3, 1.0, 3.0)  # pauses between attempts; the last one from then on
ANSWER_S: Final = 30.0
LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class Values(AbstractAsyncContextManager["Values"]):
    """Values on their way out and in. `limit` tells the present `value_max`, `url` where the blobs are. Waits while the
    server is away; raises WorkError `blob_missing` or `blob_refused` (permanent)."""

    def __init__(self, limit: Callable[[], int], url: Callable[[], str], key: str, ca: str = "") -> None:
        self._limit, self._url, self._ca = limit, url, ca
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._client: httpx.AsyncClient | None = None

    async def __aexit__(self, *exc: object) -> None:
        if self._client is not None:
            await self._client.aclose()

    def fits(self, data: bytes) -> bool:
        """Whether a value goes into a frame as it is."""
        return len(data) <= self._limit()

    async def out(self, data: bytes) -> tuple[bytes, pb.Ref | None]:
        """What a frame holds of a value: itself, or a reference to where it lies now."""
        if self.fits(data):
            return data, None
        digest = hashlib.sha256(data).digest()
        await self._ask("PUT", digest, data)
        return b"", pb.Ref(sha256=digest, size=len(data))

    async def into(self, data: bytes, ref: pb.Ref | None) -> bytes:
        """The value that a frame holds or refers to."""
        return data if ref is None else await self._ask("GET", ref.sha256)

    async def _ask(self, method: str, digest: bytes, data: bytes | None = None) -> bytes:
        import httpx  # here: few workers have values as large

        tries = 0
        while True:
            try:
                answer = await self._http().request(
                    method, f"{self._url()}/v1/jobs/blobs/{digest.hex()}", content=data, headers=self._headers
                )
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                return answer.content
            if answer is not None and answer.status_code not in LATER:
                code = "blob_missing" if answer.status_code in (404, 410) else "blob_refused"
                hint = "is the HTTP address of the server reachable from here, and may this key read blobs?"
                why = f"a large value: {method} answered {answer.status_code}"
                raise WorkError(why, code=code, transient=False, detail={"hint": hint})
            await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
            tries += 1

    def _http(self) -> "httpx.AsyncClient":
        import httpx

        if self._client is None:
            trusted = ssl.create_default_context()
            if self._ca:
                trusted.load_verify_locations(self._ca)
            self._client = httpx.AsyncClient(timeout=ANSWER_S, verify=trusted)
        return self._client
