"""The verbs of tasks and plans, of one shard."""

from aob.core.answers import JsonObject
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs.work import task_verbs as verbs
from aob.tasks.asking import Asking


class TaskVerbs:
    """What may be asked of tasks and plans."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    @performs(verbs.SUBMIT)
    async def submit_task(self, who: Caller, args: verbs.SubmitTask) -> JsonObject:
        """Ask for a task."""
        return await self._asking.submit(who, "task", args.request)

    @performs(verbs.SHOW)
    async def task(self, who: Caller, args: verbs.NamedTask) -> JsonObject:
        """A task."""
        return await self._asking.show(who, "task", args.task_id, args.wait_ms)

    @performs(verbs.LIST)
    async def tasks(self, who: Caller, args: verbs.ListTasks) -> JsonObject:
        """A page of tasks."""
        has = {"plan_id": args.plan_id, "request_id": args.request_id}
        return await self._asking.listed(
            who, "task", status=args.status, type=args.type, has=has, limit=args.limit, cursor=args.cursor
        )

    @performs(verbs.CANCEL)
    async def cancel_task(self, who: Caller, args: verbs.CancelTask) -> JsonObject:
        """Cancel a task."""
        return await self._asking.cancel(who, "task", args.task_id, args.reason)

    @performs(verbs.SUBMIT_PLAN)
    async def submit_plan(self, who: Caller, args: verbs.SubmitPlan) -> JsonObject:
        """Ask for a plan."""
        return await self._asking.submit(who, "plan", args.request)

    @performs(verbs.SHOW_PLAN)
    async def plan(self, who: Caller, args: verbs.NamedPlan) -> JsonObject:
        """A plan."""
        return await self._asking.show(who, "plan", args.plan_id, args.wait_ms)

    @performs(verbs.LIST_PLANS)
    async def plans(self, who: Caller, args: verbs.ListPlans) -> JsonObject:
        """A page of plans."""
        has = {"request_id": args.request_id}
        return await self._asking.listed(
            who, "plan", status=args.status, type=args.type, has=has, limit=args.limit, cursor=args.cursor
        )

    @performs(verbs.CANCEL_PLAN)
    async def cancel_plan(self, who: Caller, args: verbs.CancelPlan) -> JsonObject:
        """Cancel a plan."""
        return await self._asking.cancel(who, "plan", args.plan_id, args.reason)
