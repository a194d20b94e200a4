"""Exchanges `loop`, a word that CEL reserves, with a stand-in of the same length, and finds dots before a name."""

import re
from typing import Final

WORD: Final = "loop"
STAND_IN: Final = "lo0p"

_RAW: Final = r"""(?:[rR][bB]?|[bB][rR])(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"\n]*"|'[^'\n]*')"""
_QUOTED: Final = (
    r"""[bB]?(?:\"{3}(?:\\[\s\S]|[^\\])*?\"{3}|'{3}(?:\\[\s\S]|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
)
_TOKEN: Final = re.compile(rf"{_RAW}|{_QUOTED}|//[^\n]*|`[^`\n]*`|(?P<field>\.\s*)?(?P<word>[A-Za-z_]\w*)")
_PART: Final = re.compile(
    rf"(?P<operand>{_RAW}|{_QUOTED}|`[^`\n]*`|[A-Za-z_]\w*|\d[\w.]*|[)\]}}])"
    r"|(?P<dot>\.(?=(?:\s|//[^\n]*\n)*[A-Za-z_`]))|//[^\n]*|\s+|(?P<other>[\s\S])"
)
_OPERATORS: Final = frozenset({"in"})
_EXCHANGED: Final = {WORD: STAND_IN, STAND_IN: WORD}


def _exchange(token: re.Match[str]) -> str:
    word = token["word"]
    return _EXCHANGED[word] if word in _EXCHANGED and token["field"] is None else token[0]


def spelled(text: str) -> str:
    """An expression with the names exchanged."""
    return _TOKEN.sub(_exchange, text) if WORD in text or STAND_IN in text else text


def respelled(name: str) -> str:
    """A name, or a path such as `loop.index`, with its first word exchanged."""
    word, dot, rest = name.partition(".")
    return _EXCHANGED.get(word, word) + dot + rest


def leading_dot(text: str) -> int | None:
    """The offset of the first dot without a value before it, as in `.inputs`: CEL reads it as "from the root", past the
    variable of a macro, and the library does not do so everywhere."""
    after_operand = False
    for part in _PART.finditer(text):
        if part["dot"] and not after_operand:
            return part.start()
        if part["operand"]:
            after_operand = part["operand"] not in _OPERATORS
        elif part["dot"] or part["other"]:
            after_operand = False
    return None
