"""Reports an error, to a person in a few lines or to a program as a problem, with a matching exit code."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from aob.cli.screen import Screen, clean
from aob.core.errors import AobError, Problem
from aob.core.problem import problem_of

EXIT_BY_STATUS: Final[Mapping[int, int]] = {
    400: 2, 413: 2, 415: 2, 422: 2, 404: 3, 410: 3, 401: 4, 403: 4, 409: 5, 408: 6, 429: 6, 503: 6,
}  # fmt: skip
"""0 done, 1 failed, 2 wrong usage or input, 3 not found, 4 not allowed, 5 conflict, 6 no answer."""


def complain(error: AobError, screen: Screen, file: str | None = None) -> int:
    """Print what failed, where (in `file`, when a document is meant), and how to mend it; return the exit code."""
    if screen.json:
        screen.error(msgspec.json.encode(problem_of(error)).decode())
    else:
        screen.error(f"error: {clean(error.detail)}")
        problems: Sequence[Problem] = getattr(error, "problems", ())
        for problem in problems:
            for line in problem_lines(problem, file):
                screen.error(f"  {line}")
        if error.hint and error.hint not in [problem.hint for problem in problems]:
            screen.error(f"hint: {clean(error.hint)}")
    return EXIT_BY_STATUS.get(error.status, 1)


def problem_lines(problem: Problem, file: str | None = None) -> list[str]:
    """One problem: `file:line:column: path: message`, the caret under its line, the hint."""
    where = f"{problem.line}:{problem.column}" if problem.line else ""
    place = ":".join(filter(None, (file or "", where)))
    lines = [f"{place}: " * bool(place) + f"{problem.path or '/'}: {problem.message}"]
    lines.extend(f"  {line}" for line in problem.caret.splitlines())
    if problem.hint:
        lines.append(f"  hint: {problem.hint}")
    return [clean(line) for line in lines]
