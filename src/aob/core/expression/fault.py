"""What can be wrong with an expression: at load an `ExpressionError` with its places, at run time an `EvalError`.

In: a message and an offset in the text. Out: a `Problem` with line, column and a caret under the text. Never raises.
"""

import msgspec

from aob.core.errors import CallerError, Invalid, Problem


class ExpressionError(Invalid):
    """The text is not a correct expression. `problems` lists every place, `problem` is the first."""

    code = "bad_expression"

    def __init__(self, text: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(f"bad expression {text!r}", problems)

    @property
    def problem(self) -> Problem:
        """The first problem: message, line, column, caret, hint."""
        return self.problems[0]


class EvalError(CallerError):
    """A correct expression met values that it cannot work on: a missing field, a wrong type, a division by zero."""

    code = "expression_failed"
    status = 422

    def __init__(self, message: str) -> None:
        super().__init__(message)


class Place(msgspec.Struct, frozen=True):
    """Where the first character of an expression stands in its document: line and column from 1; 0 is unknown."""

    line: int = 0
    column: int = 0


def problem_at(text: str, offset: int, message: str, *, place: Place, hint: str = "") -> Problem:
    """The problem at this offset (characters from 0) of the text, with a caret below the line it stands in."""
    offset = min(max(offset, 0), len(text))
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    row = text.count("\n", 0, offset)
    source = text[start : end if end >= 0 else len(text)].replace("\t", " ")
    column = offset - start + 1
    return Problem(
        path="",
        message=message,
        code="bad_expression",
        line=max(place.line, 1) + row,
        column=column + (max(place.column, 1) - 1 if row == 0 else 0),
        hint=hint,
        caret=f"{source}\n{' ' * (column - 1)}^",
    )
