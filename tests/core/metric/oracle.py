"""What every metric of the shop is, told by SQL over the accepted events: independent of gate, folds and tiles.

Values of a span `[since, until)` of event time come out; dimensions are fixed by `where`. Nothing here imports the code
that it judges.
"""

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from tests.core.metric.shop_world import DAY, HOUR, MINUTE, Sent

_COLUMNS: Final = (
    "order_id", "customer", "session", "amount", "currency", "region", "channel", "item", "fee", "sku", "level",
    "ordered_at",
)  # fmt: skip
_BOTH: Final = """SELECT at_ms, 1 AS sign, {0} AS value, region, channel FROM ev WHERE type = 'order.created' {1}
    UNION ALL SELECT ordered_ms, -1, {0}, region, channel FROM ev WHERE type = 'order.refunded' {1}"""
_ONE: Final = "SELECT at_ms, 1 AS sign, {0} AS value, region, channel FROM ev WHERE type = '{1}'"
_PAIRS: Final = """SELECT at_ms, region, channel, right_ms, {0} AS value FROM (
    SELECT l.at_ms, l.region, l.channel, l.amount,
        (SELECT MIN(r.at_ms) FROM ev r WHERE r.type = 'payment.captured' AND r.order_id = l.order_id
            AND r.at_ms BETWEEN l.at_ms AND l.at_ms + 3600000) AS right_ms,
        (SELECT r.fee FROM ev r WHERE r.type = 'payment.captured' AND r.order_id = l.order_id
            AND r.at_ms BETWEEN l.at_ms AND l.at_ms + 3600000 ORDER BY r.at_ms LIMIT 1) AS fee
    FROM ev l WHERE l.type = 'order.created')"""
MOVES: Final = {
    "orders": _BOTH.format("1", ""),
    "revenue": _BOTH.format("amount", "AND currency = 'EUR'"),
    "smallest": _ONE.format("amount", "order.created"),
    "cheapest": _BOTH.format("amount", ""),
    "largest": _BOTH.format("amount", ""),
    "mean": _BOTH.format("amount", ""),
    "refund_rate": _ONE.format("0", "order.created") + " UNION ALL " + _ONE.format("1", "order.refunded"),
    "buyers": _BOTH.format("customer", ""),
    "visitors": _ONE.format("session", "page.viewed"),
    "spread": _BOTH.format("amount", ""),
    "bestsellers": _BOTH.format("item", ""),
    "earners": """SELECT at_ms, 1 AS sign, item AS value, amount, region, channel FROM ev WHERE type = 'order.created'
        UNION ALL SELECT ordered_ms, -1, item, amount, region, channel FROM ev WHERE type = 'order.refunded'""",
    "stock": "SELECT at_ms, offset, level AS value, sku FROM ev WHERE type = 'stock.adjusted'",
    "checkout": """WITH RECURSIVE
        acts AS (SELECT session, at_ms, region, channel, CASE type WHEN 'page.viewed' THEN 0 WHEN 'cart.updated' THEN 1
            WHEN 'order.created' THEN 2 END AS step FROM ev),
        attempts(session, at_ms) AS (
            SELECT session, MIN(at_ms) FROM acts WHERE step = 0 GROUP BY session
            UNION SELECT a.session, (SELECT MIN(n.at_ms) FROM acts n WHERE n.session = a.session AND n.step = 0
                AND n.at_ms > a.at_ms + 1800000) FROM attempts a WHERE a.at_ms IS NOT NULL),
        second AS (SELECT a.session, a.at_ms, (SELECT MIN(n.at_ms) FROM acts n WHERE n.session = a.session
                AND n.step = 1 AND n.at_ms BETWEEN a.at_ms AND a.at_ms + 1800000) AS cart_ms
            FROM attempts a WHERE a.at_ms IS NOT NULL),
        third AS (SELECT s.*, (SELECT MIN(n.at_ms) FROM acts n WHERE n.session = s.session AND n.step = 2
                AND n.at_ms BETWEEN s.cart_ms AND s.at_ms + 1800000) AS order_ms FROM second s)
        SELECT t.*, v.region, v.channel FROM third t JOIN (SELECT session, at_ms, MIN(region) AS region,
            MIN(channel) AS channel FROM acts WHERE step = 0 GROUP BY session, at_ms) v USING (session, at_ms)""",
    "twice": """WITH RECURSIVE
        acts AS (SELECT session, at_ms, region, channel, offset FROM ev WHERE type = 'page.viewed'),
        attempts(session, at_ms) AS (
            SELECT session, MIN(at_ms) FROM acts GROUP BY session
            UNION SELECT a.session, (SELECT MIN(n.at_ms) FROM acts n WHERE n.session = a.session
                AND n.at_ms > a.at_ms + 1800000) FROM attempts a WHERE a.at_ms IS NOT NULL)
        SELECT a.session, a.at_ms, (SELECT COUNT(*) FROM acts n WHERE n.session = a.session
                AND n.at_ms BETWEEN a.at_ms AND a.at_ms + 1800000) > 1 AS more, v.region, v.channel
            FROM attempts a JOIN (SELECT session, at_ms, MIN(region) AS region, MIN(channel) AS channel
                FROM acts GROUP BY session, at_ms) v USING (session, at_ms)""",
    "visits": """SELECT MIN(at_ms) AS at_ms, COUNT(*) AS events, MAX(at_ms) - MIN(at_ms) AS long_ms,
            MAX(CASE WHEN opens THEN region END) AS region, MAX(CASE WHEN opens THEN channel END) AS channel
        FROM (SELECT *, SUM(opens) OVER (PARTITION BY session ORDER BY at_ms, offset) AS number FROM (
            SELECT *, at_ms - LAG(at_ms, 1, -1e15) OVER (PARTITION BY session ORDER BY at_ms, offset) > 600000 AS opens
            FROM ev WHERE type IN ('page.viewed', 'cart.updated')))
        GROUP BY session, number""",
    "time_to_pay": _PAIRS.format("right_ms - at_ms"),
    "again": """SELECT l.at_ms, l.region, l.channel, right_ms, right_ms - l.at_ms AS value FROM (
        SELECT l.*, (SELECT MIN(r.at_ms) FROM ev r WHERE r.type = 'page.viewed' AND r.session = l.session
            AND r.offset != l.offset AND r.at_ms BETWEEN l.at_ms AND l.at_ms + 3600000) AS right_ms
        FROM ev l WHERE l.type = 'page.viewed') l""",
    "fees": _PAIRS.format("fee / amount"),
}
"""For each metric the rows that move it, each with the time at which it counts."""


class Oracle:
    """The accepted events of a stream, in SQL."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:")
        self._db.row_factory = sqlite3.Row
        self._seen: set[tuple[str, str]] = set()
        columns = ", ".join(_COLUMNS)
        self._db.execute(
            f"CREATE TABLE ev (offset INTEGER PRIMARY KEY, source, type, at_ms INTEGER, ordered_ms INTEGER, {columns})"
        )
        self._db.execute("CREATE INDEX ev_session ON ev (session, type, at_ms)")
        self._db.execute("CREATE INDEX ev_order ON ev (order_id, type, at_ms)")

    @property
    def accepted(self) -> int:
        """How many events were accepted."""
        return len(self._seen)

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def take(self, sent: list[Sent]) -> None:
        """Write what has to be accepted: what is in order and has not come before."""
        for _, event, _, good in sent:
            if not good or event is None or (event["source"], event["id"]) in self._seen:
                continue
            self._seen.add((event["source"], event["id"]))
            data = event["data"]
            ordered = data.get("ordered_at")
            ordered_ms = ordered and round(datetime.fromisoformat(ordered).timestamp() * 1_000)
            row = (event["source"], event["type"], event["time_ms"], ordered_ms, *(data.get(name) for name in _COLUMNS))
            marks = ", ".join("?" * (len(row) + 1))
            self._db.execute(f"INSERT INTO ev VALUES ({marks})", (len(self._seen) - 1, *row))
        for name, sql in MOVES.items():
            self._db.execute(f"DROP TABLE IF EXISTS m_{name}")
            self._db.execute(f"CREATE TEMP TABLE m_{name} AS {sql}")

    def rows(self, sql: str, *given: Any) -> list[sqlite3.Row]:
        """What a query gives."""
        return self._db.execute(sql, given).fetchall()

    def value(self, metric: str, since: int, until: int, where: Mapping[str, str] | None = None) -> Any:
        """What a metric is over a span, as the answers have it."""
        if metric == "aov":
            orders = self.value("orders", since, until, where)
            return self.value("revenue", since, until, where) / orders if orders else None
        fixed = "".join(f" AND {name} = '{value}'" for name, value in (where or {}).items())
        spanned = f"m_{metric} WHERE at_ms >= {since} AND at_ms < {until}{fixed}"
        net = f"(SELECT value, SUM(sign) AS n FROM {spanned} GROUP BY value HAVING SUM(sign) > 0)"
        return _TOLD[metric](self, spanned, net)

    def watermark(self, now_ms: int) -> int:
        """Up to when the sources that are not idle (30 s) have told, when events may be 10 s late."""
        newest = "(SELECT MAX(at_ms) AS at_ms FROM ev GROUP BY source)"
        found = self.rows(f"SELECT MIN(at_ms) - 10000 FROM {newest} WHERE at_ms + 30000 > {now_ms}")[0][0]
        return now_ms - 30_000 if found is None else int(found)

    def places(self, metric: str, since: int, until: int, by: tuple[str, ...]) -> list[tuple[str, ...]]:
        """The values of dimensions under which anything moved a metric."""
        table = "(SELECT * FROM m_orders UNION ALL SELECT * FROM m_revenue)" if metric == "aov" else f"m_{metric}"
        told = f"SELECT DISTINCT {', '.join(by)} FROM {table} WHERE at_ms >= {since} AND at_ms < {until}"
        return sorted(tuple(row) for row in self._db.execute(told))


def _one(select: str) -> Any:
    return lambda oracle, spanned, net: oracle.rows(f"SELECT {select.format(net=net)} FROM {spanned}")[0][0]


def _net(select: str) -> Any:
    return lambda oracle, spanned, net: oracle.rows(f"SELECT {select} FROM {net}")[0][0]


def _spread(oracle: Oracle, spanned: str, net: str) -> dict[str, Any]:
    ranked = f"(SELECT value, SUM(n) OVER (ORDER BY value) AS passed, SUM(n) OVER () AS total FROM {net})"
    found = {}
    for percent in (50, 7, 95):
        rows = oracle.rows(f"SELECT value FROM {ranked} WHERE passed * 100 >= {percent} * total ORDER BY value LIMIT 1")
        found[f"p{percent}"] = rows[0][0] if rows else None
    return found


def _top(oracle: Oracle, spanned: str, net: str) -> list[dict[str, Any]]:
    rows = oracle.rows(f"SELECT value, n FROM {net} ORDER BY n DESC, value LIMIT 3")
    return [{"item": value, "count": n} for value, n in rows]


def _earners(oracle: Oracle, spanned: str, net: str) -> list[dict[str, Any]]:
    sums = f"SELECT value, SUM(sign * amount) AS s FROM {spanned} GROUP BY value HAVING s > 0"
    return [{"item": item, "sum": amount} for item, amount in oracle.rows(f"{sums} ORDER BY s DESC, value LIMIT 3")]


def _last(oracle: Oracle, spanned: str, net: str) -> Any:
    rows = oracle.rows(f"SELECT value FROM {spanned} ORDER BY at_ms DESC, offset DESC LIMIT 1")
    return rows[0][0] if rows else None


def _funnel(oracle: Oracle, spanned: str, net: str) -> dict[str, Any]:
    views, carts, orders = oracle.rows(
        f"SELECT COUNT(*), COUNT(cart_ms), COUNT(CASE WHEN cart_ms IS NOT NULL THEN order_ms END) FROM {spanned}"
    )[0]
    return {"view": views, "cart": carts, "order": orders, "conversion": orders / views if views else None}


def _twice(oracle: Oracle, spanned: str, net: str) -> dict[str, Any]:
    first, second = oracle.rows(f"SELECT COUNT(*), COALESCE(SUM(more), 0) FROM {spanned}")[0]
    return {"first": first, "second": second, "conversion": second / first if first else None}


def _sessions(oracle: Oracle, spanned: str, net: str) -> dict[str, Any]:
    count, events, long_ms = oracle.rows(f"SELECT COUNT(*), AVG(events), AVG(long_ms) FROM {spanned}")[0]
    return {"sessions": count, "events_per_session": events, "duration_ms": long_ms}


def _join(oracle: Oracle, spanned: str, net: str) -> dict[str, Any]:
    all_, pairs, average = oracle.rows(f"SELECT COUNT(*), COUNT(right_ms), AVG(value) FROM {spanned}")[0]
    return {"pairs": pairs, "average": average, "unmatched": all_ - pairs}


_TOLD: Final = {
    "orders": _one("COALESCE(SUM(sign), 0)"),
    "revenue": _one("COALESCE(SUM(sign * value), 0)"),
    "smallest": _net("MIN(value)"),
    "cheapest": _net("MIN(value)"),
    "largest": _net("MAX(value)"),
    "mean": _net("SUM(n * value) / SUM(n)"),
    "refund_rate": _one("1.0 * SUM(value) / NULLIF(COUNT(*) - SUM(value), 0)"),
    "buyers": _net("COUNT(*)"),
    "visitors": _net("COUNT(*)"),
    "spread": _spread,
    "bestsellers": _top,
    "earners": _earners,
    "stock": _last,
    "checkout": _funnel,
    "twice": _twice,
    "visits": _sessions,
    "time_to_pay": _join,
    "again": _join,
    "fees": _join,
}


def window(name: str, now_ms: int) -> tuple[int | None, int]:
    """The span `[since, until)` of a window of the shop at an instant, by the calendar of the standard library."""
    if name == "all":
        return None, _after(now_ms, 1_000)
    if name == "five":
        until = now_ms // MINUTE * MINUTE
        return until - 5 * MINUTE, until
    if name in _CALENDAR:
        zone, unit, whole = _CALENDAR[name]
        start = _start(datetime.fromtimestamp(now_ms / 1_000, ZoneInfo(zone)), unit)
        return _ms(start), _ms(_next(start, unit)) if whole else _after(now_ms, 1_000)
    size = int(name[:-1]) * {"s": 1_000, "m": MINUTE, "h": HOUR, "d": DAY}[name[-1]]
    step = 1_000 if size <= HOUR else MINUTE if size <= DAY else HOUR if size <= 31 * DAY else DAY
    until = _after(now_ms, step)
    return until - size, until


_CALENDAR: Final = {
    "this_minute": ("UTC", "minute", True),
    "this_hour": ("UTC", "hour", True),
    "today": ("Europe/Berlin", "day", True),
    "today_ny": ("America/New_York", "day", True),
    "quarter_day": ("Europe/Berlin", "six", True),
    "this_week": ("Europe/Berlin", "week", True),
    "this_month": ("Asia/Kolkata", "month", True),
    "day_to_date": ("Europe/Berlin", "day", False),
    "month_to_date": ("UTC", "month", False),
    "year_to_date": ("America/New_York", "year", False),
}
WINDOWS: Final = (*["10s", "1m", "15m", "1h", "6h", "1d", "7d", "90d", "five", "all"], *_CALENDAR)


def _after(now_ms: int, step_ms: int) -> int:
    return (now_ms // step_ms + 1) * step_ms


def _start(now: datetime, unit: str) -> datetime:
    if unit == "minute":
        return now.replace(second=0, microsecond=0)
    if unit == "hour":
        return now.replace(minute=0, second=0, microsecond=0)
    if unit == "six":
        return now.replace(hour=now.hour // 6 * 6, minute=0, second=0, microsecond=0, fold=0)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day if unit == "day" else day.replace(day=1) if unit == "month" else day.replace(month=1, day=1)


def _next(start: datetime, unit: str) -> datetime:
    if unit in ("minute", "hour"):
        return start + timedelta(**{unit + "s": 1})
    if unit == "six":
        return start + timedelta(hours=6)
    if unit == "month":
        return (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    return start + timedelta(days={"day": 1, "week": 7}[unit])


def _ms(instant: datetime) -> int:
    return round(instant.astimezone(UTC).timestamp() * 1_000)
