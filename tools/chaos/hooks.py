"""What a webhook was told: each end of a run, each event and each turn of an alert under one id of a message, however
often it was sent; and of a run its begin before its end."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final

from tools.chaos.judge import FOLD_S_MAX, LOOK_S, Held
from tools.chaos.ledger import Ledger
from tools.chaos.load import Load
from tools.chaos.world import PAYS, THRESHOLDS

EVENT: Final = "chaos.paid"
ENDS: Final = ("run.completed", "run.cancelled")


async def hooked(load: Load, ledger: Ledger) -> None:
    """Let a webhook tell the ledger."""
    alerts = [f"sales_over_{sales}" for sales in THRESHOLDS]  # not those of the platform, which faults make fire
    await load.ask(lambda door: door.create_webhook(ledger.hook_url, events=[EVENT], runs=["*"], alerts=alerts))


async def told_once(runs: Mapping[str, Any], alarms: int, ledger: Ledger) -> list[Held]:
    """What must hold of the messages, once these runs have ended and so many alerts have fired."""
    paid = sum(run["workflow"] in PAYS for run in runs.values())
    until, heard = time.monotonic() + FOLD_S_MAX, 0
    while time.monotonic() < until:
        if len(ledger.told) > heard:  # one that was refused holds up those behind it for seconds: as long as they come
            until, heard = time.monotonic() + FOLD_S_MAX, len(ledger.told)
        ends, events, alerts = _told(ledger)
        if set(runs) <= set(ends) and sum(events.values()) >= paid and alerts.total() >= alarms:
            break
        await asyncio.sleep(LOOK_S)
    broken = [f"never of the end of {run_id}" for run_id in runs if run_id not in ends]
    broken += [f"of the end of {run_id} under {count} ids" for run_id, count in ends.items() if count > 1]
    broken += [f"of the event {id} under {count} ids" for id, count in events.items() if count > 1]
    broken += [f"of {len(events)} payments of {paid}"] * (len(events) != paid)
    broken += [f"of the alert {name} {count} times" for name, count in alerts.items() if count > 1]
    broken += [f"of {len(alerts)} alerts of {alarms}"] * (len(alerts) != alarms)
    return [
        Held("the webhook told of each thing under one id", len({told.id for told in ledger.told}), broken),
        Held("the webhook told of begins before ends", len(ends), _late(ledger)),
    ]


def _told(ledger: Ledger) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Under how many ids it was told of each end of a run, each event, each alert that fired."""
    ends, events, alerts = Counter[str](), Counter[str](), Counter[str]()
    for told in {told.id: told for told in ledger.told}.values():
        if told.type in ENDS:
            ends[told.data["run_id"]] += 1
        elif told.type == EVENT:
            events[told.data["id"]] += 1
        elif told.type == "alert.changed" and told.data["what"] == "firing":
            alerts[told.data["alert"]] += 1
    return ends, events, alerts


def _late(ledger: Ledger) -> list[str]:
    """Runs whose begin was told first after their end."""
    first = defaultdict[str, list[str]](list)
    for told in ledger.told:
        if told.type.startswith("run.") and told.type not in first[told.data["run_id"]]:
            first[told.data["run_id"]].append(told.type)
    return [f"{run_id}: {types}" for run_id, types in first.items() if types[0] in ENDS]
