"""Contracts: push, check, list, show, compare. One request each, with typed answers."""

from collections.abc import Mapping

from aob.client.async_wire import AsyncWire
from aob.core.answers import JsonObject
from aob.core.metric_answers import ContractsPushed


class Contracts(AsyncWire):
    """Calls about contracts. Files are text by file name."""

    async def push_contracts(
        self, files: Mapping[str, str], *, dry_run: bool = False, allow_breaking: bool = False
    ) -> ContractsPushed:
        """Push contracts. Raises Invalid with every problem, Conflict `breaking_change` unless allowed."""
        query = {"dry_run": dry_run, "allow_breaking": allow_breaking}
        found: ContractsPushed = await self._call("PUT", "/v1/contracts", query=query, body={"files": dict(files)})
        return found

    async def check_contracts(self, files: Mapping[str, str]) -> JsonObject:
        """Check contracts without pushing them: `{valid, problems, new?, warnings?}`."""
        found: JsonObject = await self._call("POST", "/v1/contracts:check", body={"files": dict(files)})
        return found
