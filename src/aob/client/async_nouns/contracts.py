"""Contracts: push, check, list, show, compare. Each a request, its answer typed."""

from collections.abc import Mapping

from aob.client.async_wire import AsyncWire
from aob.client.request import part
from aob.core.answers import JsonObject
from aob.core.metric_answers import ContractsPushed


class Contracts(AsyncWire):
    """Calls about contracts. Files are text by file name."""

    async def push_contracts(
        self, files: Mapping[str, str], *, dry_run: bool = False, allow_breaking: bool = False
    ) -> ContractsPushed:
        """Take contracts over. Raises Invalid with every problem, Conflict `breaking_change` unless allowed."""
        query = {"dry_run": dry_run, "allow_breaking": allow_breaking}
        found: ContractsPushed = await self._call("PUT", "/v1/contracts", query=query, body={"files": dict(files)})
        return found

    async def default_version(self, type: str, version: int) -> JsonObject:
        """Let a version judge the events of a type that name none: `{type, default, was, newest}`."""
        path = f"/v1/contracts/event/{part(type)}/default"
        found: JsonObject = await self._call("PUT", path, body={"version": version})
        return found

    async def check_contracts(self, files: Mapping[str, str]) -> JsonObject:
        """The verdict on contracts, which are only looked at: `{valid, problems, new?, warnings?}`."""
        found: JsonObject = await self._call("POST", "/v1/contracts:check", body={"files": dict(files)})
        return found

    async def contracts(self) -> list[JsonObject]:
        """All contracts in short."""
        found: list[JsonObject] = (await self._call("GET", "/v1/contracts"))["contracts"]
        return found

    async def contract(self, kind: str, name: str, *, version: int = 0) -> JsonObject:
        """One contract, whole; the newest version by default."""
        path = f"/v1/contracts/{part(kind)}/{part(name)}"
        found: JsonObject = await self._call("GET", path, query={"version": version})
        return found

    async def diff_contract(self, kind: str, name: str, a: int, b: int = 0) -> JsonObject:
        """What changed between two versions, and whether it breaks readers."""
        path = f"/v1/contracts/{part(kind)}/{part(name)}/diff"
        found: JsonObject = await self._call("GET", path, query={"a": a, "b": b})
        return found
