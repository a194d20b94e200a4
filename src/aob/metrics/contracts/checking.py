"""The verb that checks contracts: what a push would accept, or every problem."""

from aob.core.answers import JsonObject
from aob.core.errors import Conflict, Invalid, Problem
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs import contract_verbs as verbs
from aob.metrics.contracts.contracts import Contracts


class Checking:
    """Checks contracts without a push."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts

    @performs(verbs.CHECK)
    async def check_contracts(self, who: Caller, args: verbs.CheckContracts) -> JsonObject:
        """Check contracts and store nothing."""
        try:
            seen = await self._contracts.push_contracts(who, args.files, dry_run=True, allow_breaking=True)
        except (Invalid, Conflict) as error:
            problems = getattr(error, "problems", ()) or (Problem("", error.detail, error.code, hint=error.hint),)
            return {"valid": False, "problems": problems}
        return {"valid": True, "problems": [], "new": seen["new"], "warnings": seen["warnings"]}
