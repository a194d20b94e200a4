"""Errors of expressions: `ExpressionError` at load with places and carets, `EvalError` at run time."""

from collections.abc import Iterable
from typing import Final

import msgspec

from aob.core.errors import CallerError, Invalid, Problem
from aob.core.hint import nearest

CARET_WIDTH_MAX: Final = 120
TEXT_SHOWN_MAX: Final = 80


class ExpressionError(Invalid):
    """The text is not a valid expression. `problems` lists every place, `problem` is the first."""

    code = "bad_expression"

    def __init__(self, text: str, problems: tuple[Problem, ...]) -> None:
        shown = text if len(text) <= TEXT_SHOWN_MAX else text[: TEXT_SHOWN_MAX - 1] + "…"
        super().__init__(f"bad expression {shown!r}", problems)

    @property
    def problem(self) -> Problem:
        """The first problem: message, line, column, caret, hint."""
        return self.problems[0]


class EvalError(CallerError):
    """A valid expression cannot be evaluated on its values: a missing field, a wrong type, a division by zero."""

    code = "expression_failed"
    status = 422

    def __init__(self, message: str) -> None:
        super().__init__(message)


class Complaint(msgspec.Struct, frozen=True):
    """A finding at an offset of the text (characters from 0), before it is located in a document."""

    offset: int
    message: str
    hint: str = ""


def problem_of(text: str, complaint: Complaint, line: int = 0, column: int = 0) -> Problem:
    """The complaint as a problem of the document, with a caret below the affected line. `line` and `column` (from 1; 0
    is unknown) are the position of the expression's first character there."""
    offset = min(max(complaint.offset, 0), len(text))
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    row, at = text.count("\n", 0, offset), offset - start
    return Problem(
        path="",
        message=complaint.message,
        code="bad_expression",
        line=max(line, 1) + row,
        column=at + (max(column, 1) if row == 0 else 1),
        hint=complaint.hint,
        caret=_caret(text[start : end if end >= 0 else len(text)], at),
    )


def _caret(source: str, column: int) -> str:
    """The line with a caret below this column (from 0); of a long line, the part around it."""
    cut = max(0, min(column - CARET_WIDTH_MAX // 2, len(source) - CARET_WIDTH_MAX))
    shown = source[cut : cut + CARET_WIDTH_MAX].replace("\t", " ").replace("\r", " ")
    return f"{shown}\n{' ' * (column - cut)}^"


def meant(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint with the known word nearest to a misspelt one, else `otherwise`."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else otherwise
