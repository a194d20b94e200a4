"""One tenant's DuckDB database in its process: rows and the position up to which they are loaded in one transaction."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from aob.backends.duckdb_serving import tables
from aob.backends.duckdb_serving.decoding import Decoder, Line, Saying, listed
from aob.backends.duckdb_serving.parser_crosscheck import cross_check
from aob.backends.duckdb_serving.wire import Answer, Ask, Needs
from aob.core.contract_model import ContractSet
from aob.core.errors import Invalid, Problem, TooLarge, Unavailable
from aob.core.serving import Guarded, View, guard, views_of
from aob.ports.event_log import Row

if TYPE_CHECKING:
    import duckdb

ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024  # bytes of one answer
BATCH_EVENTS: Final = 20_000  # events inserted at once
FETCH_ROWS: Final = 256
_SHAPES_MAX: Final = 256

SETTINGS: Final = {
    "threads": "1",
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "max_expression_depth": "250",
}


class _DoesNotFitError(Exception):
    """An integer does not fit into its column."""

    def __init__(self, view: View, cause: Exception) -> None:
        super().__init__(view.name)
        self.view, self.cause = view, cause


class TenantTables:
    """The tables of one tenant. `path` None: in memory. One thread loads, others query."""

    def __init__(self, path: Path | None, memory_mb: int) -> None:
        self._path, self._memory_mb = path, memory_mb
        self._writing = threading.Lock()
        self._asking: dict[int, duckdb.DuckDBPyConnection] = {}
        self._stopped: set[int] = set()
        self._views: dict[str, View] = {}
        self._names: frozenset[str] = frozenset()
        self._decoder: Decoder | None = None
        self._shapes: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
        self._wide: dict[str, int] = {}
        self.spent = False  # whether an error occurred after which this process should end
        self._db = self._opened()

    # -- its file --------------------------------------------------------------------------------------------------

    def _opened(self) -> "duckdb.DuckDBPyConnection":
        import duckdb

        try:
            return self._begun()
        except (duckdb.Error, ValueError):  # damaged, or of another layout: it is rebuilt from the log
            self._unlink()
            return self._begun()

    def _begun(self) -> "duckdb.DuckDBPyConnection":
        import duckdb

        where = str(self._path) if self._path is not None else ":memory:"
        db = duckdb.connect(where, config={**SETTINGS, "memory_limit": f"{self._memory_mb}MB"})
        try:
            db.execute("SET GLOBAL TimeZone = 'UTC'")
            db.execute("SET GLOBAL lock_configuration = true")
            for statement in tables.BASIS:
                db.execute(statement)
            known = db.execute("SELECT value FROM _aob.state WHERE key = 'layout'").fetchone()
            if known is None:
                db.execute("INSERT INTO _aob.state VALUES ('layout', ?), ('row', '0')", [str(tables.LAYOUT)])
            elif known[0] != str(tables.LAYOUT):
                raise ValueError("another layout")
        except BaseException:
            db.close()
            raise
        return db

    def _unlink(self) -> None:
        if self._path is not None:
            for path in (self._path, self._path.with_name(self._path.name + ".wal")):
                path.unlink(missing_ok=True)

    def reset(self) -> None:
        """Deletes everything."""
        with self._writing:
            self._db.close()
            self._unlink()
            self._views, self._names, self._decoder = {}, frozenset(), None
            self._db = self._opened()

    def close(self) -> None:
        """Closes the file."""
        with self._writing:
            self._db.close()

    # -- what it is made of -----------------------------------------------------------------------------------------

    @property
    def rows(self) -> dict[int, int]:
        """The rows of the event log up to which rows are loaded, by partition."""
        with self._db.cursor() as cursor:
            found = cursor.execute("SELECT key, value FROM _aob.state WHERE key LIKE 'row%'").fetchall()
        return {int(key.removeprefix("row").removeprefix("/") or 0): int(value) for key, value in found}

    def declare(self, contracts: ContractSet, supplied: tuple[View, ...]) -> None:
        """Applies contracts: creates new tables, rebuilds changed ones, drops removed ones."""
        views = views_of(contracts, supplied)
        decoder = Decoder(contracts)
        self._widening(lambda: self._made(views))
        self._views, self._names, self._decoder = views, frozenset(views), decoder
        self._shapes.clear()

    def _made(self, views: dict[str, View]) -> int:
        with self._writing, self._transaction() as db:
            kept = db.execute("SELECT value FROM _aob.state WHERE key = 'views'").fetchone()
            before = msgspec.json.decode(kept[0], type=dict[str, View]) if kept else {}
            for name, view in before.items():
                if name in views and _core(views[name]) == _core(view):
                    continue
                kind = "VIEW" if view.kind in {"entity", "history"} else "TABLE"
                if view.kind != "events":
                    db.execute(f"DROP {kind} IF EXISTS main.{tables.quoted(name)}")
            for name, view in views.items():
                if view.kind == "events" or (name in before and _core(before[name]) == _core(view)):
                    continue
                db.execute(tables.made(view, self._integer(view)))
                if view.kind == "type":
                    self._fill(view, "main.events")
            value = msgspec.json.encode(views).decode()
            db.execute("INSERT OR REPLACE INTO _aob.state VALUES ('views', ?)", [value])
        return len(views)

    def feed(self, rows: list[Row]) -> int:
        """Inserts rows that are not loaded yet; returns the number of their events."""
        decoder = self._decoder
        if decoder is None:
            raise Unavailable("the tables are not declared", code="serving_lost")
        done, count = self.rows, 0
        lines: list[Line] = []
        sayings: list[Saying] = []
        for at, row in enumerate(rows):
            if row.row > done.get(row.partition, 0):
                more = decoder.read(row)
                lines += more[0]
                sayings += more[1]
                done[row.partition] = row.row
            if len(lines) >= BATCH_EVENTS or at == len(rows) - 1:
                count += self._kept(lines, sayings, done)
                lines, sayings = [], []
        return count

    def _kept(self, lines: list[Line], sayings: list[Saying], done: dict[int, int]) -> int:
        return self._widening(lambda: self._put(lines, sayings, done))

    def _put(self, lines: list[Line], sayings: list[Saying], done: dict[int, int]) -> int:
        types = {line.type for line in lines}
        with self._writing, self._transaction() as db:
            if lines:
                db.execute(tables.BATCH, [listed(lines)])
                db.execute(tables.KEEP)
                for view in self._views.values():
                    if view.kind == "type" and view.of in types:
                        self._fill(view, "temp.batch")
            if sayings:
                db.execute(tables.SAY, [listed(sayings)])
            for partition, row in done.items():
                key = f"row/{partition}" if partition else "row"
                db.execute("INSERT OR REPLACE INTO _aob.state VALUES (?, ?)", [key, str(row)])
        return len(lines)

    def _fill(self, view: View, source: str) -> None:
        import duckdb

        try:
            self._db.execute(tables.filled(view, source, self._integer(view)), [view.of])
        except duckdb.ConversionException as error:
            raise _DoesNotFitError(view, error) from None

    def _integer(self, view: View) -> str:
        return tables.INTEGERS[self._wide.get(view.name, 0)]

    def _widening(self, act: Callable[[], int]) -> int:
        """Fills tables; when an integer does not fit, widens its column and repeats all."""
        while True:
            try:
                return act()
            except _DoesNotFitError as error:
                self._widen(error.view, error.cause)

    def _widen(self, view: View, cause: Exception) -> None:
        import duckdb

        self._wide[view.name] = self._wide.get(view.name, 0) + 1
        if self._wide[view.name] >= len(tables.INTEGERS):
            raise cause
        self._shapes.clear()
        with contextlib.suppress(
            duckdb.CatalogException, duckdb.ConversionException
        ):  # not created yet, or wider already
            for statement in tables.widened(view, self._integer(view)):
                self._db.execute(statement)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator["duckdb.DuckDBPyConnection"]:
        self._db.execute("BEGIN")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    # -- what is asked of it ----------------------------------------------------------------------------------------

    def ask(self, id: int, ask: Ask) -> Answer | Needs:
        """Answers a statement. Raises Invalid, TooLarge, Unavailable."""
        try:
            checked = Guarded(ask.sql, frozenset()) if ask.trusted else guarded(ask.sql, self._names)
        except (MemoryError, SystemError) as error:
            self.spent = True
            raise _told(error, ask) from None
        lacking = [
            name for name in sorted(checked.views) if self._views[name].kind == "supplied" and name not in ask.supplied
        ]
        if lacking:
            return Needs(lacking)
        for name, rows in ask.supplied.items():
            with self._writing, self._transaction() as db:
                db.execute(tables.emptied(self._views[name]))
                db.execute(tables.supplied(self._views[name]), [rows.decode()])
        with self._db.cursor() as cursor:
            timer = threading.Timer(ask.time_max_ms / 1_000, cursor.interrupt)
            timer.daemon = True
            self._asking[id] = cursor
            timer.start()
            try:
                if id in self._stopped:
                    raise TooLarge("nobody waits for this answer", code="query_too_slow")
                return self._answered(cursor, ask, checked)
            except Exception as error:
                self.spent = self.spent or _spends(error)
                raise _told(error, ask) from None
            finally:
                timer.cancel()
                self._asking.pop(id, None)
                self._stopped.discard(id)

    def stop(self, id: int) -> None:
        """Interrupts a statement if it runs here."""
        cursor = self._asking.get(id)
        if cursor is not None:
            self._stopped.add(id)
            cursor.interrupt()

    def _answered(self, cursor: "duckdb.DuckDBPyConnection", ask: Ask, checked: Guarded) -> Answer:
        since = time.perf_counter()
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        bound: Any = msgspec.json.decode(ask.parameters)
        columns, types = self._shape(cursor, checked.sql, bound, None if ask.trusted else checked.views)
        cursor.execute(tables.shown(checked.sql, types, ask.rows_max), bound)
        told: list[str] = []
        size = 0
        while rows := cursor.fetchmany(FETCH_ROWS):
            for row in rows:
                line = "[" + ",".join([value if value is not None else "null" for value in row]) + "]"
                size += len(line)
                told.append(line)
            if size > ANSWER_BYTES_MAX:
                why = f"the answer is larger than {ANSWER_BYTES_MAX} bytes"
                raise TooLarge(why, code="query_too_large", hint="ask for fewer columns or rows, or sum up in SQL")
        truncated = len(told) > ask.rows_max
        body = _plain("[" + ",".join(told[: ask.rows_max]) + "]")
        took_ms = round((time.perf_counter() - since) * 1_000, 3)
        return Answer(columns, types, body, truncated, took_ms, sorted(checked.views), checked.sql)

    def _shape(
        self, cursor: "duckdb.DuckDBPyConnection", sql: str, bound: Any, views: frozenset[str] | None
    ) -> tuple[list[str], list[str]]:
        """Names and types of the columns; cached, because reading them plans the statement again."""
        values = bound.values() if isinstance(bound, dict) else bound
        key = (sql + ("" if views is None else "--"), ",".join(type(value).__name__ for value in values))
        known = self._shapes.get(key)
        if known is None:
            if views is not None:
                cross_check(cursor, Guarded(sql, views))
            told = cursor.execute(f"DESCRIBE {sql}", bound).fetchall()
            known = ([str(each[0]) for each in told], [str(each[1]) for each in told])
            while len(self._shapes) >= _SHAPES_MAX:
                self._shapes.pop(next(iter(self._shapes)))
            self._shapes[key] = known
        return known


@lru_cache(maxsize=512)
def guarded(sql: str, names: frozenset[str]) -> Guarded:
    """`guard`, cached by text: parsing costs more than most queries."""
    return guard(sql, names)


def _core(view: View) -> tuple[Any, ...]:
    """What must be equal for a view to be kept."""
    return view.kind, view.of, tuple((column.name, column.type, column.field) for column in view.columns)


def _plain(body: str) -> bytes:
    """Valid JSON: NaN and infinity inside of values become null."""
    import json

    data = body.encode()
    if b"NaN" not in data and b"nan" not in data and b"nf" not in data:
        return data
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
        json.loads(body, parse_constant=_not_json)
    except ValueError:
        return _mended(body)
    return data


def _not_json(name: str) -> None:
    raise ValueError(name)


def _mended(body: str) -> bytes:
    import json
    import re

    whole = re.sub(r'"(?:[^"\\]|\\.)*"|-?\b(?:nan|inf|infinity)\b', _without_constants, body, flags=re.IGNORECASE)
    return json.dumps(json.loads(whole, parse_constant=lambda name: None)).encode()


def _without_constants(found: "Any") -> str:
    text: str = found.group()
    return text if text.startswith('"') else "null"


def _spends(error: Exception) -> bool:
    """Whether an error is one of the process and not of the statement: the next statement would fail too."""
    import duckdb

    return isinstance(error, MemoryError | SystemError | duckdb.FatalException | duckdb.InternalException)


def _told(error: Exception, ask: Ask) -> Exception:
    """Converts an error of DuckDB to an AobError."""
    import duckdb

    if isinstance(error, duckdb.InterruptException):
        why = f"the statement ran longer than {ask.time_max_ms} ms"
        return TooLarge(why, code="query_too_slow", hint="ask for a shorter span of time, or sum up less")
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError | SystemError):
        why = "the statement needs more memory than a question may take"
        return TooLarge(why, code="query_too_large", hint="ask for fewer rows, or sum up before joining and sorting")
    if isinstance(error, duckdb.FatalException | duckdb.InternalException | duckdb.IOException):
        return Unavailable(f"the tables cannot be read: {_first(error)}", code="serving_lost")
    if isinstance(error, duckdb.Error | ValueError | TypeError | OverflowError):
        problem = Problem("/sql", _first(error), code="sql_wrong")
        return Invalid("this SQL does not fit the views", [problem], code="sql_wrong", hint="see GET /v1/catalog")
    return error


def _first(error: Exception) -> str:
    return str(error).split("\n\n")[0].split("\nLINE")[0][:500]
