"""Marked functions become a table of handlers; what cannot be a handler is said with its place."""

import functools
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from aob.core.errors import Invalid
from aob.core.graph import HandlerFacts
from aob.work import load_app, node, scan
from aob.work.handlers import handler_of


@node
async def fetch(order_id: str) -> str:
    """Fetch an order.

    More of it."""
    return order_id


@node(name="rate", effect="none", deterministic=True, version="7")
def score(order: Any, ctx: Any = None) -> int:
    return 1


@node(cpu=True)
def crunch() -> int:
    return 1


def unmarked() -> None: ...


def module_of(**names: Any) -> types.ModuleType:
    module = types.ModuleType("shop")
    vars(module).update(names)
    return module


def test_a_module_is_scanned_for_marked_functions_only() -> None:
    table = scan(module_of(fetch=fetch, score=score, unmarked=unmarked, other=3))
    assert sorted(table) == ["fetch", "rate"]
    assert table["fetch"].fn is fetch


def test_marking_leaves_the_function_as_it_is() -> None:
    assert score({"id": 1}) == 1


def test_what_is_declared_stands_in_the_facts_for_the_graph() -> None:
    facts = scan(fetch, score, crunch).facts
    assert facts["rate"] == HandlerFacts("rate", "7", "none", True, False, "")
    assert (facts["fetch"].effect, facts["fetch"].deterministic, facts["fetch"].doc) == (
        "keyed",
        False,
        "Fetch an order.",
    )
    assert facts["crunch"].cpu


def test_a_handler_runs_where_it_belongs() -> None:
    table = scan(fetch, score, crunch)
    assert [table[name].place for name in ("fetch", "rate", "crunch")] == ["loop", "thread", "process"]
    assert table["rate"].takes_ctx
    assert (table["fetch"].takes_value, table["crunch"].takes_value) == (True, False)


def test_the_version_is_the_hash_of_the_source() -> None:
    def made(text: str) -> Any:
        names: dict[str, Any] = {"node": node}
        exec(text, names)
        return handler_of(names["f"])

    one = made("@node\ndef f(x): return [y + 1 for y in x]")
    same = made("\n\n@node\ndef f(x): return [y + 1 for y in x]")
    other = made("@node\ndef f(x): return [y + 2 for y in x]")
    assert one.facts.version == same.facts.version != other.facts.version
    assert len(one.facts.version) == 16
    assert handler_of(fetch).facts.version == handler_of(fetch).facts.version != handler_of(crunch).facts.version


def test_methods_of_an_object_may_be_handlers() -> None:
    class Shop:
        def __init__(self) -> None:
            self.prefix = "o-"

        @node
        async def take(self, order: str) -> str:
            return self.prefix + order

    table = scan(Shop())
    assert list(table["take"].signature.parameters) == ["order"]


def test_one_function_under_two_names_in_modules_is_one_handler() -> None:
    assert list(scan(module_of(a=fetch), module_of(b=fetch))) == ["fetch"]


def test_a_wrapped_function_keeps_its_nature() -> None:
    @node
    @functools.wraps(fetch)
    def logged(*args: Any, **named: Any) -> Any:
        return fetch(*args, **named)

    handler = scan(logged)["fetch"]
    assert handler.is_async
    assert list(handler.signature.parameters) == ["order_id"]


def test_everything_wrong_with_an_application_is_said_at_once() -> None:
    @node
    def numbers() -> Any:
        yield 1

    @node(name="crunch2", cpu=True)
    async def slow() -> None: ...

    @node(name="crunch3", cpu=True)
    def with_ctx(ctx: Any) -> None: ...

    @node(name="local", cpu=True)
    def inside() -> None: ...

    @node(name="pay", effect="once", deterministic=True)
    def pay() -> None: ...

    @node(name="fetch")
    def another() -> None: ...

    with pytest.raises(Invalid) as refused:
        scan(fetch, numbers, slow, with_ctx, inside, pay, another)
    text = str(refused.value)
    for words in (
        "is a generator",
        "is async and cpu",
        "takes ctx",
        "top of its module",
        "once",
        "name `fetch` is taken",
    ):
        assert words in text
    assert all(problem.hint and ":" in problem.path for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ({"effect": "onse"}, "did you mean `once`?"),
        ({"effect": "None"}, "did you mean `none`?"),
        ({"effect": None}, "did you mean `none`?"),
        ({"effect": "idempotent"}, "effects: keyed, none, once"),
        ({"deterministic": "no"}, "it is True or False"),
        ({"cpu": 1}, "it is True or False"),
        ({"name": 3}, "it is a text"),
        ({"version": 2}, "it is a text"),
    ],
)
def test_a_mark_that_says_what_there_is_not_is_refused(said: dict[str, Any], hint: str) -> None:
    """A misspelt `once` would be repeated without a word."""

    @node(**said)
    def pay() -> None: ...

    with pytest.raises(Invalid) as refused:
        scan(pay)
    assert refused.value.problems[0].hint == hint


def test_a_handler_of_a_file_is_named_by_its_file(here: Path) -> None:
    (here / "desk.py").write_text("import aob\n@aob.node(cpu=True)\ndef f(x, ctx): return 1\n")
    with pytest.raises(Invalid) as refused:
        scan(load_app("desk.py"))
    assert refused.value.problems[0].path == "desk.py:2"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


APP = "from aob.work import node\n@node\ndef hello(): return 'hi'\n"


def test_an_application_is_loaded_by_name_from_the_current_directory(here: Path) -> None:
    (here / "shop_by_name.py").write_text(APP)
    assert list(scan(load_app("shop_by_name"))) == ["hello"]


def test_an_application_is_loaded_by_path_and_finds_its_neighbours(here: Path) -> None:
    (here / "apps").mkdir()
    (here / "apps" / "shop.py").write_text(APP + "from neighbour_of_shop import price\n")
    (here / "apps" / "neighbour_of_shop.py").write_text("price = 3\n")
    module = load_app("apps/shop.py")
    assert list(scan(module)) == ["hello"]
    assert load_app(str(here / "apps" / "shop.py")) is module
    assert sys.modules[module.__name__] is module


@pytest.mark.parametrize(
    ("spec", "what", "hint"),
    [
        ("nowhere.py", "no such file", "looked for"),
        ("no_such_module_xyz", "there is no module 'no_such_module_xyz'", "--app ./no_such_module_xyz.py"),
        ("not a module!", "neither a module nor a file", "--app shop.handlers"),
        ("broken.py", "ZeroDivisionError", "1 / 0"),
        ("syntax.py", "SyntaxError", ""),
        ("needs", "fails while it is loaded: ModuleNotFoundError: No module named 'missing_library'", "import missing"),
        ("leaves.py", "SystemExit", ""),
    ],
)
def test_an_application_that_cannot_be_loaded_says_what_and_where(here: Path, spec: str, what: str, hint: str) -> None:
    (here / "broken.py").write_text("x = 1\ny = 1 / 0\n")
    (here / "syntax.py").write_text("x = 1\ndef (:\n")
    (here / "needs.py").write_text("import missing_library\n")
    (here / "leaves.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(Invalid) as refused:
        load_app(spec)
    (problem,) = refused.value.problems
    assert refused.value.code == problem.code == "app_not_loaded"
    assert what in problem.message
    assert hint in problem.hint
    if spec == "broken.py":
        assert (Path(problem.path).name, problem.line) == ("broken.py", 2)
    if spec == "syntax.py":
        assert problem.line == 2


def test_a_module_that_failed_is_tried_anew_after_it_is_mended(here: Path) -> None:
    (here / "later.py").write_text("1 / 0\n")
    with pytest.raises(Invalid):
        load_app("later.py")
    (here / "later.py").write_text(APP)
    assert list(scan(load_app("later.py"))) == ["hello"]


PROGRAM = """
import aob
from aob.work.handlers import scan

@aob.node(cpu=True)
def crunch(n: int) -> int:
    return n * n

def main():
    print(sorted(scan(crunch)))

{start}
"""


@pytest.mark.parametrize(
    ("start", "refused"),
    [("main()", True), ('if __name__ == "__main__":\n    main()', False), ("if '__main__' == __name__: main()", False)],
)
def test_a_cpu_handler_of_a_program_needs_the_guard(start: str, refused: bool, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(start=start))
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=False)
    if refused:
        assert done.returncode == 1
        assert "in a program that has no guard" in done.stderr
    else:
        assert done.stdout == "['crunch']\n", done.stderr
