"""The verb that looks at contracts: what a push of them would take over, or every problem."""

from aob.core.answers import JsonObject
from aob.core.errors import Conflict, Invalid, Problem
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs import contract_verbs as verbs
from aob.metrics.contracts.contracts import Contracts


class Checking:
    """Contracts that are only looked at."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts

    @performs(verbs.CHECK)
    async def check_contracts(self, who: Caller, args: verbs.CheckContracts) -> JsonObject:
        """Look at contracts and take nothing over."""
        try:
            seen = await self._contracts.push_contracts(who, args.files, dry_run=True, allow_breaking=True)
        except (Invalid, Conflict) as error:
            problems = getattr(error, "problems", ()) or (Problem("", error.detail, error.code, hint=error.hint),)
            return {"valid": False, "problems": problems}
        return {"valid": True, "problems": [], "new": seen["new"], "warnings": seen["warnings"]}
