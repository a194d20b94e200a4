"""What is to be seen to, of an answer about a home: pure, and the same for the command line, alarms and people."""

from collections.abc import Iterator
from typing import Final

from aob.core.status import HomeStatus, Trouble

SKEW_MS: Final = 2_000
BEHIND_ROWS: Final = 10_000
WAITS_S: Final = 60.0
DAYS_MIN: Final = 2


def troubles_of(told: HomeStatus) -> list[Trouble]:
    """The worst first."""
    found = [*_stores(told), *_shards(told), *_members(told), *_log(told), *_workers(told), *_settings(told)]
    return sorted(found, key=lambda each: each["how"] == "note")


def _shards(told: HomeStatus) -> Iterator[Trouble]:
    unowned = [each["shard"] for each in told["shards"] if each["status"] == "unowned"]
    if unowned:
        yield problem(f"shards {_named(unowned)}", "no process owns them",
                      "start a coordinator; a lease that just ended is taken within seconds")  # fmt: skip
    away = {each["status"] for each in told["stores"]}  # one line about the store is enough
    for each in told["shards"]:
        if each["status"] not in ("ok", "unowned") and each["status"] not in away:
            at = f" at {each['address']}" if each["address"] else ""
            detail = f"{each['status']}{at}" + (f": {each['detail']}" if each.get("detail") else "")
            yield problem(f"shard {each['shard']}", detail, "its runs wait; aob doctor at its owner says more")
        if each.get("waiting"):
            yield problem(f"shard {each['shard']}", f"{each['waiting']} commands wait for room in its outbox",
                          "see how the shards are that it sends to")  # fmt: skip
        if each.get("uncounted", 0) > BEHIND_ROWS:
            yield note(f"shard {each['shard']}", f"the numbers of runs are {each['uncounted']:,} rows behind",
                       "they catch up when there are fewer starts")  # fmt: skip


def _stores(told: HomeStatus) -> Iterator[Trouble]:
    for each in told["stores"]:
        if each["status"] != "ok":
            yield problem(each["name"], f"{each['address']}: {each.get('detail') or each['status']}",
                          "aob db check says more")  # fmt: skip
    skew_ms = told["clock"]["skew_ms"]
    if abs(skew_ms) > SKEW_MS:
        way = "before" if skew_ms > 0 else "behind"
        yield problem("clock", f"the database's clock is {abs(skew_ms) / 1_000:.1f} s {way} ours", "NTP on both")
    for day in told["days"]:
        if day["missed"]:
            yield problem(day["table"], "rows of days without a partition lie in its default one",
                          "a running home makes it; its log says days_not_made if it cannot")  # fmt: skip
        elif day["ahead"] < DAYS_MIN:
            yield note(day["table"], f"partitions for {max(day['ahead'], 0)} days after today",
                       "a running home makes them for a week")  # fmt: skip


def _members(told: HomeStatus) -> Iterator[Trouble]:
    for each in told["members"]:
        if each["lease_left_ms"] == 0:
            yield note(f"member {each['address']}", "went away without a word, or cannot reach the database",
                       "its shards are taken by others; it is forgotten after a while")  # fmt: skip
    if any(each["grpc"] for each in told["members"]):
        for each in told["members"]:
            if not each["grpc"]:
                yield note(f"member {each['address']}", "takes no workers: runs of its shards wait for theirs, and "
                              "as the main process it refuses documents that name handlers of workers",
                              "AOB_GRPC_PORT at every coordinator and at metrics")  # fmt: skip
    for what, found in (
        ("releases", {each["release"] for each in (*told["members"], *told.get("fronts", ()))}),
        ("rules", {str(each["rules"]) for each in told["members"]}),
    ):
        if len(found) > 1:
            yield note("processes", f"they have different {what}: {', '.join(sorted(found))}",
                       "finish the upgrade: docs/how-to/postgres.md, A later release")  # fmt: skip


def _log(told: HomeStatus) -> Iterator[Trouble]:
    log = told["log"]
    if log["status"] != "ok":
        yield problem("event log", str(log.get("detail") or log["status"]), "aob doctor")
    for each in log["followers"]:
        for code, count in each.get("waits_for", {}).items():
            yield problem(each["name"], f"{count} of them cannot send: {code}", "aob webhook list")
        if each["behind"] > BEHIND_ROWS:
            yield note(each["name"], f"{each['behind']:,} {each['of']} behind", "wait, or see to the load")


def _workers(told: HomeStatus) -> Iterator[Trouble]:
    for each in told["queues"]:
        if each["oldest_s"] > WAITS_S:
            detail = f"{each['waiting']} jobs wait for a worker, the oldest for {each['oldest_s']:.0f} s"
            yield note(f"handler {each['handler']}", detail, "attach more: aob worker FILE --url …")


def _settings(told: HomeStatus) -> Iterator[Trouble]:
    if why := told.get("settings", {}).get("detail"):
        yield problem("shared settings", str(why), "push them again, or update this process: aob settings show")


def problem(what: str, detail: str, hint: str) -> Trouble:
    """Something is wrong."""
    return {"what": what, "how": "problem", "detail": detail, "hint": hint}


def note(what: str, detail: str, hint: str) -> Trouble:
    """Something may become wrong."""
    return {"what": what, "how": "note", "detail": detail, "hint": hint}


def _named(shards: list[int]) -> str:
    shown = ", ".join(map(str, shards[:10]))
    return f"{shown} and {len(shards) - 10} more" if len(shards) > 10 else shown
