"""Patches of runs: propose, list, show, decide, take back. Each a request, its answer typed."""

from aob.client.async_wire import AsyncWire
from aob.client.request import part, run_path
from aob.core.answers import JsonObject, PatchRow, PatchVerdict, PatchView


class Patches(AsyncWire):
    """Calls about patches."""

    async def propose(self, run_id: str, body: JsonObject) -> PatchVerdict:
        """Propose a patch: `{"operations": [...], "base"?, "kind"?, "reason"?, "id"?}`."""
        found: PatchVerdict = await self._call("POST", run_path(run_id, "patches"), body=body)
        return found

    async def patches(self, run_id: str) -> list[PatchRow]:
        """The patches of a run."""
        found: list[PatchRow] = (await self._call("GET", run_path(run_id, "patches")))["patches"]
        return found

    async def patch(self, patch_id: str) -> PatchView:
        """A whole patch."""
        found: PatchView = await self._call("GET", f"/v1/patches/{part(patch_id)}")
        return found

    async def approve_patch(self, patch_id: str, *, reason: str = "") -> PatchVerdict:
        """Approve the diff that was shown."""
        return await self._settle(patch_id, "approve", {"reason": reason})

    async def reject_patch(self, patch_id: str, *, reason: str = "") -> PatchVerdict:
        """Reject a proposal."""
        return await self._settle(patch_id, "reject", {"reason": reason})

    async def rollback(self, patch_id: str, *, cascade: bool = False) -> PatchVerdict:
        """Take a patch back."""
        return await self._settle(patch_id, "rollback", {"cascade": cascade})

    async def _settle(self, patch_id: str, verb: str, body: JsonObject) -> PatchVerdict:
        found: PatchVerdict = await self._call("POST", f"/v1/patches/{part(patch_id)}/{verb}", body=body)
        return found
