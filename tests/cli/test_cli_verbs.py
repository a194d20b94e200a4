"""A command that is one verb prints the verb's answer, whole, for programs; and each verb of the table can be asked by
its name, so that a new one needs no command."""

import io
import json
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import AsyncIterator, Iterator
from functools import partial
from inspect import isasyncgenfunction, signature
from pathlib import Path
from typing import Any, Final

import pytest

from aob.cli.parser import make_parser
from aob.cli.screen import Screen
from aob.client import AsyncClient
from aob.core.errors import Invalid, NotFound
from aob.core.verbs import TABLE

ANSWER: Final = {
    "run_id": "run_1", "ticket_id": "ticket_1", "patch_id": "patch_1", "what": ["the answer", {"of": "a verb"}, None],
}  # fmt: skip
VERBS: Final = {verb.name: verb for verb in TABLE if verb.http}


class Client:
    """Any call of the real client answers the same; its arguments are those that the real one takes."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(AsyncClient, name)
        takes = getattr(real, "__wrapped__", partial(real, self))

        def given(words: tuple[Any, ...], named: dict[str, Any]) -> None:
            self.asked.append((name, signature(takes).bind(*words, **named).arguments))

        async def items(*words: Any, **named: Any) -> AsyncIterator[Any]:
            given(words, named)
            yield ANSWER
            yield {"second": 2}

        async def one(*words: Any, **named: Any) -> Any:
            given(words, named)
            return ANSWER

        many = isasyncgenfunction(real) or "AsyncIterator" in str(signature(real).return_annotation)
        ask: Any = items if many else one
        ask.__wrapped__ = takes
        return ask


def leaves(parser: ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], ArgumentParser]]:
    below = [each for each in parser._actions if isinstance(each, _SubParsersAction)]
    for each in below:
        for name, inner in each.choices.items():
            yield from leaves(inner, (*words, name))
    if not below:
        yield words, parser


PARSER: Final = make_parser()
OF_ONE_VERB: Final = {
    " ".join(words): (parser.get_default("act").args[0], parser)
    for words, parser in leaves(PARSER)
    if isinstance(parser.get_default("act"), partial)
}


def typed(parser: ArgumentParser, file: str) -> Iterator[str]:
    """What its words may be, one of each."""
    for action in parser._actions:
        if action.option_strings:
            if not action.required:
                continue
            yield action.option_strings[0]
        yield str(next(iter(action.choices))) if action.choices else "7" if action.type is int else file


async def printed(words: list[str], client: Client) -> list[Any]:
    args, out = PARSER.parse_args(words, Namespace(json=False, home=None, server=None)), io.StringIO()
    await args.act(client, args, Screen(out, io.StringIO(), json=True, colour=False))
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_most_commands_that_ask_a_server_are_one_verb() -> None:
    assert len(OF_ONE_VERB) >= 35
    assert {verb for verb, _ in OF_ONE_VERB.values()} <= VERBS.keys()


async def test_a_command_of_one_verb_prints_its_answer(tmp_path: Path) -> None:
    (file := tmp_path / "any.json").write_text("{}")
    for words, (verb, parser) in OF_ONE_VERB.items():
        client = Client()
        assert await printed([*words.split(), *typed(parser, str(file)), "--json"], client) == [ANSWER], words
        assert client.asked[-1][0] == verb, words


async def test_each_verb_is_asked_by_its_name() -> None:
    for verb in VERBS:
        real = getattr(AsyncClient, verb)
        takes = signature(getattr(real, "__wrapped__", partial(real, None))).parameters.values()
        client, needed = Client(), [f"{each.name}=1" for each in takes if each.default is each.empty]
        assert (await printed(["call", verb, *needed], client))[0] == ANSWER, verb
        assert client.asked == [(verb, {word.partition("=")[0]: 1 for word in needed})]
        with pytest.raises(Invalid, match=f"{verb}: "):
            await printed(["call", verb, *needed, "nobodys=1"], client)


async def test_verbs_are_listed_and_a_wrong_name_gets_the_near_one() -> None:
    assert await printed(["call", "--json"], Client()) == [list(VERBS)]
    with pytest.raises(NotFound) as none:
        await printed(["call", "metrix"], Client())
    assert none.value.hint == "did you mean metric?"


async def test_a_key_is_steered_by_its_words() -> None:
    client = Client()
    assert await printed(["agent", "steer", "triage", "ann", "replay", "--visit", "r1.0", "--json"], client) == [ANSWER]
    wanted = {"agent": "triage", "key": "ann", "act": "replay", "visit": "r1.0", "again": False, "reason": ""}
    assert client.asked == [("steer_key", wanted)]
