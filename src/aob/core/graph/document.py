"""Converts the text of a document, JSON or YAML, to its canonical form with the places of its parts."""

from typing import NamedTuple

from aob.core.document import Places, Tree, form_of, located, read_text
from aob.core.errors import Invalid, Malformed, Problem, TooLarge
from aob.core.graph.compiled.ir import Handlers
from aob.core.graph.normal_form import Normaliser
from aob.core.graph.survey import DOCUMENT_BYTES_MAX, Survey
from aob.core.rules import RULES
from aob.core.value import canonical, digest_of


class Document(NamedTuple):
    """A document in canonical form. `places` maps its parts to positions in the source text."""

    tree: Tree
    places: Places


def load(text: bytes | str, *, name_hint: str = "") -> Document:
    """Read a document. `name_hint` is a file name or a media type; without one, both forms are tried. Raises Malformed
    (neither JSON nor YAML), TooLarge (over 1 MiB), or Invalid with every problem of the document if the text has any: a
    duplicate key or id, a tag, an alias that repeats too much."""
    words = _decoded(text)
    value, places, problems = next(read_text(words, form_of(name_hint, words)))
    if not isinstance(value, dict):
        line, column = places.get("", (1, 1))
        problem = Problem("", "a document is an object", "bad_type", line, column, "begin with `workflow:`")
        raise Invalid("this is not a workflow", (problem,))
    made = Normaliser(value)
    document = Document(made.tree, places.renamed(made.renames))
    if problems or made.problems:
        problems = located([*problems, *made.problems], places) + check(document)
        problems.sort(key=lambda problem: (problem.line, problem.column))
        raise Invalid("the document has problems", tuple(problems))
    return document


def check(
    document: Document | Tree, handlers: Handlers | None = None, *, places: Places | None = None, rules: int = RULES
) -> list[Problem]:
    """Every problem of a canonical document, in text order if its places are known; none if it may run. `handlers=None`
    checks no handlers."""
    if isinstance(document, Document):
        places = places or document.places
        document = document.tree
    problems = Survey(document, handlers, rules).problems
    return located(problems, places) if problems else []


def artifact_hash(document: Tree) -> str:
    """The id of a version: `sha256:` and the hash of the canonical JSON of the canonical document."""
    return f"sha256:{digest_of(canonical(document)).hex()}"


def _decoded(text: bytes | str) -> str:
    if len(text) > DOCUMENT_BYTES_MAX:
        raise TooLarge(f"a document of {len(text):,} bytes is over the limit of {DOCUMENT_BYTES_MAX:,}")
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(f"byte {error.start + 1} is not UTF-8", hint="save the file as UTF-8") from None
