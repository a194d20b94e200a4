"""The package in, docs/reference/*.md out: node kinds, errors, settings, commands, limits, backends. `--check` only
compares.

The pages say what the code says; tests/house fails while they differ.
"""

import ast
import inspect
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final, get_args

import msgspec

from aob.cli.parser import make_parser
from aob.compose.settings import SMTP_PASSWORD, Settings
from aob.compose.settings import VARIABLES as ENVIRONMENT
from aob.core.errors import AobError
from aob.core.node import ALIASES, KINDS
from aob.server.api_keys import API_KEYS, SHAPE
from tools import backends_page, limits_page

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = ROOT / "docs" / "reference"
MADE: Final = "<!-- made by tools/make_reference.py: change the code, then `make reference` -->\n\n"


def type_name(kind: object) -> str:
    """A type as people write it in a document."""
    return inspect.formatannotation(kind).replace("typing.", "").replace("aob.core.node.", "").replace("|", "or")


def default_of(field: msgspec.structs.FieldInfo) -> str:
    """A field's default as JSON, or the word `required`."""
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return f"`{msgspec.json.encode(value).decode()}`"


def node_kinds() -> str:
    """A section a kind: what it is, its config, its outcomes."""
    out = [MADE, "# Node kinds\n\n"]
    aliases = {name: [a for a, to in ALIASES.items() if to == name] for name in KINDS}
    for name, kind in sorted(KINDS.items()):
        module = sys.modules[kind.config.__module__]
        first = (inspect.getdoc(module) or "").split(": ", 1)[-1]
        out.append(f"## {name}\n\n{first[:1].upper()}{first[1:]}\n\n")
        if aliases[name]:
            out.append(f"Also written `{'`, `'.join(aliases[name])}`. ")
        out.append(f"Outcomes: `{'`, `'.join(kind.outcomes)}`.")
        where = "decided inside a decision" if kind.inner else "waits without a worker" if kind.waits else "a job"
        out.append(f" How it runs: {where}.{' Carries a `body`.' if kind.body else ''}\n\n")
        if doc := inspect.getdoc(kind.config):
            out.append(doc.replace("\n", " ") + "\n\n")
        if fields := msgspec.structs.fields(kind.config):
            out.append("| config | type | default |\n|---|---|---|\n")
            out += [f"| `{f.encode_name}` | {type_name(f.type)} | {default_of(f)} |\n" for f in fields]
            out.append("\n")
    return "".join(out).rstrip() + "\n"


def error_classes() -> Iterator[type[AobError]]:
    """The tree of errors, each class after its base."""
    todo: list[type[AobError]] = [AobError]
    while todo:
        cls = todo.pop(0)
        yield cls
        todo = [*sorted(cls.__subclasses__(), key=lambda c: c.__name__), *todo]


@cache
def codes() -> dict[str, set[str]]:
    """Every error code that stands in the code, and the rooms that name it; those of the test room reach nobody."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "src" / "aob").rglob("*.py")):
        parts = path.relative_to(ROOT / "src" / "aob").with_suffix("").parts
        if parts[0] == "testing":
            continue
        where = ".".join(parts[:2]) if parts[0] == "core" else parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for code in _codes_of(node):
                found.setdefault(code, set()).add(where)
    return found


def _codes_of(node: ast.AST) -> Iterator[str]:
    values: list[ast.expr | None] = []
    if isinstance(node, ast.Call):
        values = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
        if isinstance(node.func, ast.Name) and node.func.id == "Fault":
            values += node.args[:1]
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == "code" for target in targets):
            values = [node.value]
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
            yield value.value


def errors() -> str:
    """The tree of classes with their HTTP status, and every code with the rooms that use it."""
    out = [MADE, "# Errors\n\nEvery error says what happened, where, and how to mend it. Over HTTP it is problem+json"]
    out.append(" (RFC 9457) with its `code`; `problems` lists every place when there are several.\n\n")
    out.append("| class | code | status | meaning |\n|---|---|---|---|\n")
    for cls in error_classes():
        if cls.__module__ != "aob.core.errors":
            continue
        depth = len(cls.__mro__) - len(AobError.__mro__)
        doc = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")
        out.append(f"| {'&nbsp;&nbsp;' * depth}{cls.__name__} | `{cls.code}` | {cls.status} | {doc} |\n")
    out.append("\n## Codes\n\n| code | raised in |\n|---|---|\n")
    out += [f"| `{code}` | {', '.join(sorted(where))} |\n" for code, where in sorted(codes().items())]
    return "".join(out)


def settings() -> str:
    """Every setting of `HOME/aob.toml`, by table, with its environment variable where it has one."""
    variables = {name: variable for variable, name in ENVIRONMENT.items()}
    out = [MADE, "# Settings\n\n`HOME/aob.toml`, over it the environment, over that the options of a command. "]
    out.append("An unknown name, a wrong type or a value out of bounds is refused with its place.\n\n")
    out += _table("", Settings, variables)
    for field in msgspec.structs.fields(Settings):
        for struct in _structs_of(field.type):
            many = "NAME" if "dict" in str(field.type) else ""
            out += _table(".".join(filter(None, (field.encode_name, many))), struct, {})
    out.append("## From the environment only\n\n| variable | what it is |\n|---|---|\n")
    out.append(f"| `{SMTP_PASSWORD}` | the password of the mail server; a secret never stands in a file |\n")
    out.append("| `AOB_SECRET_NAME` | the value of `{secret:NAME}`; comes before that of the home |\n")
    out.append("| `AGENTFLOW_API_KEYS` | older name of `AOB_API_KEYS`; an entry may be a secret alone (view, run) |\n")
    out.append("| `AGENTFLOW_RATE_LIMIT_RPM` | older name of `AOB_RATE_LIMIT_RPM` |\n")
    out.append(f"| `{API_KEYS}` | keys beside those of `aob key`: {SHAPE} |\n")
    return "".join(out)


def _structs_of(kind: object) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for argument in get_args(kind):
        yield from _structs_of(argument)


def _table(name: str, struct: type[msgspec.Struct], variables: Mapping[str, str]) -> Iterator[str]:
    yield f"## {'[' + name + ']' if name else 'At the top'}\n\n"
    if doc := inspect.getdoc(struct):
        yield doc.replace("\n", " ") + "\n\n"
    environment = " environment |" if variables else ""
    yield f"| setting | type | default |{environment}\n|---|---|---|{'---|' if variables else ''}\n"
    for field in msgspec.structs.fields(struct):
        parts = list(_structs_of(field.type))
        if parts and struct is Settings:
            continue
        kind = f"list of `{{{', '.join(parts[0].__struct_fields__)}}}`" if parts else type_name(field.type)
        variable = f" {'`' + variables[field.name] + '`' if field.name in variables else ''} |" if variables else ""
        yield f"| `{field.encode_name}` | {kind} | {default_of(field)} |{variable}\n"
    yield "\n"


def commands() -> str:
    """Every command of `aob`, with its words."""
    parser = make_parser()
    out = [MADE, "# The command line\n\n", "Every command takes `--json`, `--home DIR` and `--server URL`.\n\n"]
    out.append("```\n" + inspect.cleandoc(parser.epilog or "") + "\n```\n\n")
    out += _commands_of(parser, "aob")
    return "".join(out).rstrip() + "\n"


def _commands_of(parser: ArgumentParser, name: str) -> Iterator[str]:
    groups = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    if not groups:
        yield f"## {name}\n\n{parser.description}\n\n"
        yield from _words_of(parser)
        if parser.epilog:
            yield "```\n" + parser.epilog.rstrip() + "\n```\n\n"
    for group in groups:
        for each, sub in group.choices.items():
            yield from _commands_of(sub, f"{name} {each}")


def _words_of(parser: ArgumentParser) -> Iterator[str]:
    common = {"help", "json", "home", "server"}
    words = [action for action in parser._actions if action.dest not in common]
    if not words:
        return
    yield "| word | meaning |\n|---|---|\n"
    for action in words:
        metavar = (
            action.metavar if isinstance(action.metavar, str) else action.dest.upper() if action.nargs != 0 else ""
        )
        written = ", ".join(f"{option} {metavar}".strip() for option in action.option_strings) or metavar
        help = (action.help or "").replace("|", "\\|") + (
            ", required" if action.option_strings and action.required else ""
        )
        yield "| `" + written.replace("|", "\\|") + f"` | {help} |\n"
    yield "\n"


@cache
def pages() -> dict[str, str]:
    """Every page by its file name."""
    return {
        "node-kinds.md": node_kinds(), "errors.md": errors(), "settings.md": settings(), "cli.md": commands(),
        "limits.md": MADE + limits_page.page(ROOT / "src" / "aob"),
        "backends.md": MADE + backends_page.page(ROOT / "tests" / "conformance"),
    }  # fmt: skip


def main(check: bool) -> int:
    """Write the pages, or with `check` say which differ."""
    stale = [
        name for name, text in pages().items() if not (PAGES / name).exists() or (PAGES / name).read_text() != text
    ]
    if check:
        print("\n".join(f"docs/reference/{name} is not what the code says: make reference" for name in stale))
        return 1 if stale else 0
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (PAGES / name).write_text(pages()[name])
        print(f"made docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
