"""Patches of runs: propose, list, show, decide, take back. Each a request, its answer typed.

Made from async_nouns/patches.py by `python -m tools.make_sync`: edit that one.
"""

from aob.client.request import part, run_path
from aob.client.sync_wire import Wire
from aob.core.answers import JsonObject, PatchRow, PatchVerdict, PatchView


class Patches(Wire):
    """Calls about patches."""

    def propose(self, run_id: str, body: JsonObject) -> PatchVerdict:
        """Propose a patch: `{"operations": [...], "base"?, "kind"?, "reason"?, "id"?}`."""
        found: PatchVerdict = self._call("POST", run_path(run_id, "patches"), body=body)
        return found

    def patches(self, run_id: str) -> list[PatchRow]:
        """The patches of a run."""
        found: list[PatchRow] = (self._call("GET", run_path(run_id, "patches")))["patches"]
        return found

    def patch(self, patch_id: str) -> PatchView:
        """A whole patch."""
        found: PatchView = self._call("GET", f"/v1/patches/{part(patch_id)}")
        return found

    def approve_patch(self, patch_id: str, *, reason: str = "") -> PatchVerdict:
        """Approve the diff that was shown."""
        return self._settle(patch_id, "approve", {"reason": reason})

    def reject_patch(self, patch_id: str, *, reason: str = "") -> PatchVerdict:
        """Reject a proposal."""
        return self._settle(patch_id, "reject", {"reason": reason})

    def rollback(self, patch_id: str, *, cascade: bool = False) -> PatchVerdict:
        """Take a patch back."""
        return self._settle(patch_id, "rollback", {"cascade": cascade})

    def _settle(self, patch_id: str, verb: str, body: JsonObject) -> PatchVerdict:
        found: PatchVerdict = self._call("POST", f"/v1/patches/{part(patch_id)}/{verb}", body=body)
        return found
