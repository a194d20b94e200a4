"""`loop`, a word that CEL reserves, under another spelling while the library has it.

In: a text or a name. Out: the same with `loop` and its stand-in exchanged, of the same length, so that places stay
right. Text literals, comments and fields stay as they are.
"""

import re
from typing import Final

WORD: Final = "loop"
STAND_IN: Final = "lo0p"

_RAW: Final = r"""(?:[rR][bB]?|[bB][rR])(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"\n]*"|'[^'\n]*')"""
_QUOTED: Final = (
    r"""[bB]?(?:\"{3}(?:\\[\s\S]|[^\\])*?\"{3}|'{3}(?:\\[\s\S]|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
)
_TOKEN: Final = re.compile(rf"{_RAW}|{_QUOTED}|//[^\n]*|`[^`\n]*`|(?P<field>\.\s*)?(?P<word>[A-Za-z_]\w*)")
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
