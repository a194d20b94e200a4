"""Small HTML pages: the form of a ticket, its outcome, the list of routes. All text is escaped."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

import msgspec

from aob.core.answers import JsonObject, JsonValue

STYLE: Final = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
label{display:block;margin:.8rem 0}input,textarea{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}
input[type=checkbox]{width:auto}button{font:inherit;padding:.5rem 1.2rem;margin:.8rem .6rem 0 0;cursor:pointer}
pre,code{font:14px/1.4 ui-monospace,monospace}pre{overflow:auto;padding:.6rem;border:1px solid #8885}
details{border-bottom:1px solid #8885;padding:.4rem 0}summary{cursor:pointer}
.get{color:#0a7d33}.post{color:#9a5b00}.put{color:#3556c9}.delete{color:#b3261e}
b.m{display:inline-block;width:4.5rem;font-family:ui-monospace,monospace}small{opacity:.75}
table{border-collapse:collapse}td,th{text-align:left;padding:.15rem .8rem .15rem 0;vertical-align:top}
"""


def page(title: str, body: str) -> str:
    """A whole page; `body` is HTML already."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f"<style>{STYLE}</style></head><body>{body}</body></html>"
    )


def form_page(ticket: Mapping[str, JsonValue], choices: Iterable[str]) -> str:
    """The form of an open ticket, or how a closed one was decided."""
    name = str(ticket.get("ticket_id", ""))
    head = (
        f"<h1>{escape(str(ticket.get('text') or 'A decision is asked for'))}</h1><p><small>{escape(name)}</small></p>"
    )
    if ticket.get("state", "open") != "open":
        return page(name, f"{head}<p>This ticket is {escape(str(ticket['state']))}: nothing is left to decide.</p>")
    shown = ticket.get("shown")
    about = f"<pre>{escape(_pretty(shown))}</pre>" if shown not in (None, {}) else ""
    fields = "".join(_field(field, kind) for field, kind in (ticket.get("form") or {}).items())
    buttons = "".join(f'<button name="choice" value="{escape(c)}">{escape(c)}</button>' for c in choices)
    reason = '<label>Reason <textarea name="reason" rows="3" maxlength="2000"></textarea></label>'
    return page(name, f'{head}{about}<form method="post">{fields}{reason}{buttons}</form>')


def decided_page(ticket: Mapping[str, JsonValue], choice: str) -> str:
    """The page after a decision."""
    name = escape(str(ticket.get("ticket_id", "")))
    return page("Decided", f"<h1>Decided: {escape(choice)}</h1><p>The run goes on. <small>{name}</small></p>")


def sorry_page(detail: str, hint: str) -> str:
    """The page of an error and how to mend it."""
    return page("Not possible", f"<h1>{escape(detail)}</h1><p>{escape(hint)}</p>")


def docs_page(document: JsonObject) -> str:
    """The OpenAPI document for people: every route with its input and answers. No script, no external resources."""
    parts = [
        f"<h1>{escape(document['info']['title'])} {escape(document['info']['version'])}</h1>",
        "".join(f"<p>{_code(text)}</p>" for text in document["info"]["description"].split("\n\n")),
        '<p><a href="/openapi.json">openapi.json</a></p>',
    ]
    for tag in document["tags"]:
        parts.append(f"<h2>{escape(tag['name'])}</h2>")
        for path, methods in document["paths"].items():
            found = ((method, operation) for method, operation in methods.items() if tag["name"] in operation["tags"])
            parts.extend(_operation(method, path, operation) for method, operation in found)
    parts.append("<h2>shapes</h2>")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts.append(f'<details id="{escape(name)}"><summary>{escape(name)}</summary>{_json(schema)}</details>')
    return page("AOB API", "".join(parts))


def _operation(method: str, path: str, operation: JsonObject) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td><td>{_code(p['description'])}</td></tr>"
        for p in operation["parameters"]
    )
    body = "".join(
        f"<p>Body <code>{escape(media)}</code></p>{_json(content['schema'])}"
        for media, content in operation.get("requestBody", {}).get("content", {}).items()
    )
    answers = "".join(
        f"<tr><td>{status}</td><td>{_answer(answer)}</td></tr>" for status, answer in operation["responses"].items()
    )
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><b class="m {method}">{method.upper()}</b> '
        f"<code>{escape(path)}</code> <small>{_code(operation['summary'])}</small></summary>"
        f"<p>{_code(operation['description'])}</p><table>{rows}</table>{body}<table>{answers}</table>"
        f"<pre>{escape(_curl(method, path, operation))}</pre></details>"
    )


def _answer(answer: JsonObject) -> str:
    if "$ref" in answer:
        return '<a href="#ProblemBody">ProblemBody</a>'
    shapes = ", ".join(_shape(content["schema"]) for content in answer.get("content", {}).values())
    return f"{_code(answer['description'])} {shapes}"


def _shape(schema: JsonObject) -> str:
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    return f'<a href="#{escape(name)}">{escape(name)}</a>' if name else ""


def _curl(method: str, path: str, operation: JsonObject) -> str:
    parts = ["curl", *(("-X", method.upper()) if method != "get" else ())]
    if operation.get("security") != []:
        parts.append('-H "X-API-Key: $AOB_KEY"')
    content = operation.get("requestBody", {}).get("content", {})
    if content:
        parts.append(f"-H 'Content-Type: {next(iter(content))}' --data-binary @-")
    return " ".join([*parts, f'"$AOB_SERVER{path}"'])


def _field(name: str, kind: JsonValue) -> str:
    shape = kind if isinstance(kind, dict) else {"type": kind}
    label = escape(str(shape.get("title") or name))
    field = escape(f"value.{name}")
    if shape.get("type") == "boolean":
        return f'<label><input type="checkbox" name="{field}"> {label}</label>'
    mode = ' inputmode="decimal"' if shape.get("type") in ("number", "integer") else ""
    return f'<label>{label} <input name="{field}"{mode} maxlength="2000"></label>'


def _json(value: JsonValue) -> str:
    return f"<pre>{escape(_pretty(value))}</pre>"


def _pretty(value: JsonValue) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _code(text: str) -> str:
    """Escaped text with `code` marked."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
