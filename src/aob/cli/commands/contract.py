"""`aob contract`: check, diff, show, graph and test contract files without a server; push them to one."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec

from aob.cli.error_output import problem_lines
from aob.cli.folder import contract_files, platform_files, write
from aob.cli.picture import indented
from aob.cli.screen import Screen
from aob.cli.words import Commands, asks, command, group, lists, says
from aob.core.answers import JsonObject
from aob.core.errors import Invalid, NotFound, Problem
from aob.core.metric_answers import ContractsPushed

if TYPE_CHECKING:
    from aob.core.contract_model import Contract, ContractSet

COLUMNS: Final = ("kind", "name", "version", "owner", "description")
NONE: Final = "no contracts: aob contract push FOLDER"
DEFAULT: Final = "{type} events without a version are judged by {default} (before: {was})"
WARNING: Final = "warn_"
PATHS: Final = "folders or files of contracts (.yaml, .json)"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob contract`."""
    mine = group(commands, common, "contract", "check, compare, draw, test and push contracts")
    one = command(mine, common, "check", "list every problem; exits with 1 when there is one", check, reach="alone")
    one.add_argument("paths", metavar="PATH", nargs="+", help=PATHS)
    text = "compare each version with the one before, or two folders; says what is breaking"
    one = command(mine, common, "diff", text, diff, reach="alone")
    one.add_argument("old", metavar="PATH", help="a folder or a file")
    one.add_argument("new", metavar="NEW", nargs="?", help="what it is compared with")
    one.add_argument("--strict", action="store_true", help="exit with 1 when something is breaking")
    command(mine, common, "list", "list the contracts of a home", asks("contracts", lists(COLUMNS, _row, NONE)))
    text = "list contracts of files, or show one as its canonical document"
    one = command(mine, common, "show", text, show, reach="alone")
    one.add_argument("path", metavar="PATH")
    one.add_argument("name", metavar="NAME", nargs="?", help="an event type, a metric, an alert or an objective")
    one.add_argument("--version", type=int, default=0, help="a version (the newest)")
    one = command(mine, common, "graph", "show what moves what", graph, reach="alone")
    one.add_argument("paths", metavar="PATH", nargs="+", help=PATHS)
    one.add_argument("--metric", default="", help="only what touches this metric")
    one.add_argument("--event", default="", help="only what touches this event type")
    one.add_argument("--svg", metavar="FILE", help="write it as a picture")
    text = "print a Python module with a class for the data of each event"
    one = command(mine, common, "types", text, types, reach="alone")
    one.add_argument("paths", metavar="PATH", nargs="+", help=PATHS)
    one.add_argument("--pydantic", action="store_true", help="models of pydantic (else TypedDicts)")
    one = command(mine, common, "test", "run the tests of metrics; exits with 1 when one fails", test, reach="alone")
    one.add_argument("paths", metavar="PATH", nargs="+", help=PATHS)
    push = asks("push_contracts", _pushed, files=partial(contract_files, relative=True))
    one = command(mine, common, "push", "let a home take contracts over", push)
    one.add_argument("files", metavar="PATH", nargs="+", help=PATHS)
    one.add_argument("--dry-run", action="store_true", help="only say what it would do")
    one.add_argument("--allow-breaking", action="store_true", help="take over what breaks producers or readers too")
    text = "let a version judge the events of a type that name none; a push never does"
    one = command(mine, common, "default", text, asks("default_version", says(DEFAULT)))
    one.add_argument("type", metavar="TYPE", help="an event type")
    one.add_argument("version", metavar="N", type=int, help="a version of it")


async def check(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """Every problem of contracts, with its place."""
    contracts, problems = _checked(args.paths)
    faults = [each for each in problems if not each.code.startswith(WARNING)]
    if screen.json:
        screen.value({"valid": not faults, "problems": [msgspec.to_builtins(each) for each in problems]})
        return 1 if faults else 0
    screen.lines(line for each in problems for line in _lines(each))
    if faults:
        screen.state(f"{_count(len(faults), 'problem')}", "failed")
        return 1
    screen.state(f"{_counted(contracts)}: no problems", "ok")
    return 0


async def diff(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """What changed, and whether it breaks senders or readers."""
    old = _read([args.old])
    found = _between(old, _read([args.new])) if args.new else _within(old)
    told = list(found)
    breaking = any(change["breaking"] for each in told for change in each["changes"])
    if screen.json:
        screen.value({"contracts": told, "breaking": breaking})
        return 1 if breaking and args.strict else 0
    for each in told:
        screen.line(str(each["contract"]))
        for change in each["changes"]:
            sign = {"added": "+", "removed": "-"}.get(change["change"], "~")
            screen.diff([f"  {sign} {change['sentence']}{'  (breaking)' if change['breaking'] else ''}"])
    if not told:
        screen.line("no difference")
    return 1 if breaking and args.strict else 0


def _row(row: JsonObject) -> tuple[str, ...]:
    return row["kind"], row["name"], str(row["version"]), row["owner"], row["description"]


async def show(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """Contracts in a list, or one of them whole."""
    from aob.core.contract import to_document

    known = list(_each(_read([args.path])))
    if args.name:
        found = [each for each in known if each.name == args.name and args.version in (0, _version(each))]
        if not found:
            raise NotFound(f"there is no contract {args.name}", hint=", ".join(sorted({each.name for each in known})))
        documents = [to_document(each) for each in (found if args.version else [max(found, key=_version)])]
        if screen.told(documents[0]):
            return
        screen.lines(indented(documents[0]))
        return
    rows = [(_kind(each), each.name, str(_version(each)), each.owner, each.description) for each in known]
    screen.listing([to_document(each) for each in known], COLUMNS, rows)


async def graph(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """Which event moves which metric, as text, as JSON or as a picture."""
    from aob.core.contract import graph_of

    contracts = _read(args.paths)
    for kind, name, known in (("metric", args.metric, contracts.metrics), ("event", args.event, contracts.events)):
        if name and name not in known:
            raise NotFound(f"there is no {kind} {name}", hint=", ".join(sorted(known)))
    found = graph_of(contracts, metric=args.metric, event=args.event)
    if args.svg:
        write(args.svg, found.picture().encode())
        screen.note(f"{args.svg} written")
    if screen.json:
        screen.value({"nodes": found.nodes, "edges": found.edges})
    elif not args.svg:
        screen.lines(found.text().splitlines())


async def types(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """A module of classes, as text."""
    from aob.core.contract import types_of

    text = types_of(_read(args.paths), pydantic=args.pydantic)
    if screen.told({"module": text}):
        return
    screen.lines(text.splitlines())


async def test(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """The tests of metrics: whether given events give the expected value."""
    from aob.core.contract import read_contracts
    from aob.core.metric import try_contracts

    contracts, problems = _checked(args.paths)
    faults = [each for each in problems if not each.code.startswith(WARNING)]
    if faults:
        raise Invalid("the contracts have problems", faults)
    verdicts = try_contracts(contracts, read_contracts(platform_files()))
    failed = [each for each in verdicts if not each.passed]
    if screen.json:
        rows: list[JsonObject] = [msgspec.to_builtins(each) for each in verdicts]
        screen.value({"passed": not failed, "tests": rows})
        return 1 if failed else 0
    for each in verdicts:
        sign, state = ("ok  ", "ok") if each.passed else ("FAIL", "failed")
        screen.state(f"{sign}  {each.metric}  {each.name}", state)
        screen.lines(f"      {line}" for line in each.reasons)
    untested = sorted({metric.name for metric in contracts.newest_metrics()} - {each.metric for each in verdicts})
    if untested:
        screen.note(f"without a test: {', '.join(untested)}")
    passed = f"{len(verdicts) - len(failed)} of {_count(len(verdicts), 'test')} passed"
    screen.state(passed, "failed" if failed else "ok")
    return 1 if failed else 0


def _pushed(pushed: ContractsPushed, args: Namespace, screen: Screen) -> None:
    would = "would be new" if args.dry_run else "new"
    for name in pushed["new"]:
        screen.diff([f"+ {name}  {would}"])
    for warning in pushed["warnings"]:
        screen.note(f"warning: {warning.get('path', '')} {warning['message']}")
    filling = f", filling {', '.join(pushed['filling'])}" if pushed["filling"] else ""
    screen.line(f"revision {pushed['revision']}: {len(pushed['new'])} new, {len(pushed['same'])} as they were{filling}")
    for each in pushed["unversioned"]:
        screen.note(
            f"{each['type']} events without a version are judged by {each['default']}, not {each['newest']}; "
            f"{each['per_minute']:g} a minute come so (aob contract default {each['type']} {each['newest']})"
        )


def _checked(paths: list[str]) -> tuple["ContractSet", list[Problem]]:
    """The contracts of these files, and all their problems."""
    from aob.core.contract import Sources, check_set, read_contracts

    sources = Sources(contract_files(paths))
    problems = check_set(sources.set, read_contracts(platform_files()))
    return sources.set, [*sources.problems, *sources.located(problems)]


def _read(paths: list[str]) -> "ContractSet":
    from aob.core.contract import read_contracts

    return read_contracts(contract_files(paths))


def _lines(problem: Problem) -> list[str]:
    file, _, pointer = problem.path.partition("#")
    lines = problem_lines(msgspec.structs.replace(problem, path=pointer), file)
    return [f"advice: {lines[0]}", *lines[1:]] if problem.code.startswith(WARNING) else lines


def _each(contracts: "ContractSet") -> Iterator["Contract"]:
    for kind in (contracts.events, contracts.metrics, contracts.alerts):
        for versions in kind.values():
            yield from versions.values()
    yield from contracts.slos.values()


def _kind(contract: "Contract") -> str:
    return {"EventContract": "event", "MetricContract": "metric", "AlertContract": "alert"}.get(
        type(contract).__name__, "slo"
    )


def _version(contract: "Contract") -> int:
    return getattr(contract, "version", 1)


def _newest(contracts: "ContractSet") -> dict[tuple[str, str], "Contract"]:
    return {(_kind(each), each.name): each for each in sorted(_each(contracts), key=_version)}


def _difference(old: "Contract", new: "Contract") -> Iterator[JsonObject]:
    from aob.core.contract import compare

    changes = compare(old, new)
    if changes:
        steps = f" {_version(old)} → {_version(new)}" if _version(old) != _version(new) else ""
        title = f"{_kind(new)} {new.name}{steps}"
        yield {"contract": title, "changes": [msgspec.to_builtins(each) for each in changes]}


def _within(contracts: "ContractSet") -> Iterator[JsonObject]:
    """Each version against the one before."""
    by_name: dict[tuple[str, str], list[Contract]] = {}
    for each in sorted(_each(contracts), key=_version):
        by_name.setdefault((_kind(each), each.name), []).append(each)
    for versions in by_name.values():
        for old, new in pairwise(versions):
            yield from _difference(old, new)


def _between(old: "ContractSet", new: "ContractSet") -> Iterator[JsonObject]:
    """Compare the newest versions of two sets."""
    before, after = _newest(old), _newest(new)
    for key in sorted(before.keys() | after.keys()):
        was, is_now = before.get(key), after.get(key)
        if was is not None and is_now is not None:
            yield from _difference(was, is_now)
            continue
        gone = is_now is None
        sentence = f"{key[0]} {key[1]} {'is gone' if gone else 'is new'}"
        change = {"path": "", "change": "removed" if gone else "added", "breaking": gone, "sentence": sentence}
        yield {"contract": f"{key[0]} {key[1]}", "changes": [change]}


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _counted(contracts: "ContractSet") -> str:
    counts = {"event": len(contracts.events), "metric": len(contracts.metrics), "alert": len(contracts.alerts)}
    told = [_count(count, noun) for noun, count in counts.items() if count]
    return ", ".join([*told, *([_count(len(contracts.slos), "objective")] if contracts.slos else [])])
