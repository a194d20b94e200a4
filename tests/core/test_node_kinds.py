"""What each kind finds wrong with its own config, beyond types."""

from typing import Any

import msgspec
import pytest

from aob.core.node import KINDS


def wrong(kind: str, config: dict[str, Any]) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in KINDS[kind].check(msgspec.convert(config, KINDS[kind].config))]


@pytest.mark.parametrize(
    ("kind", "config", "problems"),
    [
        ("agent", {"task": "think", "model": "script:a", "tools": ["x", "y"]}, []),
        ("agent", {"task": " "}, [("/task", "empty")]),
        ("agent", {"task": "t", "model": "gpt"}, [("/model", "bad_model")]),
        ("agent", {"task": "t", "tools": ["x", "x"]}, [("/tools/1", "duplicate")]),
        ("agent", {"task": "t", "calls_max": 0, "temperature": 3.0},
         [("/calls_max", "out_of_range"), ("/temperature", "out_of_range")]),
        ("approval", {"form": {"a": "string", "b": {"type": "integer"}}, "escalate": [{"after": "1h", "do": "remind"}]},
         []),
        ("approval", {"form": {"a": "txt"}}, [("/form/a", "bad_form")]),
        ("approval", {"role": ""}, [("/role", "empty")]),
        ("approval", {"escalate": [{"after": "soon", "do": "reassign"}]},
         [("/escalate/0/after", "bad_duration"), ("/escalate/0", "missing")]),
        ("emit", {"topic": "orders.eu", "type": "x"}, []),
        ("emit", {"topic": "a b", "type": ""}, [("/topic", "bad_topic"), ("/type", "empty")]),
        ("function", {"handler": ""}, [("/handler", "empty")]),
        ("http", {"url": "{where}"}, []),
        ("http", {"url": "https://{host}/x"}, []),
        ("http", {"url": "shop/x"}, [("/url", "bad_url")]),
        ("http", {"url": "http://[::1"}, [("/url", "bad_url")]),
        ("http", {"url": "http://x", "headers": {"a b": "c", "d": "e\r\nf: g"}},
         [("/headers/a b", "bad_header"), ("/headers/d", "bad_header")]),
        ("http", {"url": "http://x", "expect": [20]}, [("/expect/0", "out_of_range")]),
        ("http", {"url": "http://x", "body": {}}, [("/body", "bad_body")]),
        ("http", {"url": "http://x", "redirects": 99, "max_bytes": 0},
         [("/max_bytes", "out_of_range"), ("/redirects", "out_of_range")]),
        ("join", {"mode": "any", "deadline": "5m", "cancel_rest": True}, []),
        ("join", {"mode": "any", "n": 2}, [("/n", "bad_join")]),
        ("join", {"deadline": "never"}, [("/deadline", "bad_duration")]),
        ("loop", {"max": 0}, [("/max", "out_of_range")]),
        ("map", {"items": "x", "window": 0, "failures": -1},
         [("/window", "out_of_range"), ("/failures", "out_of_range")]),
        ("metric", {"metric": "refund_rate", "window": "15m", "by": ["a", "b"], "where": {"c": "{d}"}}, []),
        ("metric", {"metric": " ", "by": ["a", "a"]}, [("/metric", "empty"), ("/by/1", "duplicate")]),
        ("notify", {"to": "mailto:a@b.c", "text": "x"}, []),
        ("notify", {"to": "ops", "text": "x"}, [("/to", "bad_target")]),
        ("notify", {"to": "https://me:pw@x/", "text": "x"}, [("/to", "secret_in_document")]),
        ("notify", {"to": "{who}", "text": "", "subject": "a\nb"}, [("/subject", "bad_header"), ("/text", "empty")]),
        ("object", {"op": "put", "key": "a/{b}.json", "value": 1}, []),
        ("object", {"op": "get", "key": "../x"}, [("/key", "bad_key")]),
        ("object", {"op": "get", "key": "x", "value": 1}, [("/value", "bad_value")]),
        ("timer", {"for": "10m"}, []),
        ("timer", {}, [("", "bad_timer")]),
        ("timer", {"for": "1s", "until": "now"}, [("", "bad_timer")]),
        ("wait", {"message": ""}, [("/message", "empty")]),
    ],
)  # fmt: skip
def test_a_config_is_checked_by_its_kind(kind: str, config: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    assert wrong(kind, config) == problems


@pytest.mark.parametrize(
    ("kind", "config", "effect", "hosts"),
    [
        ("http", {"url": "http://shop/x"}, "none", ["shop"]),
        ("http", {"url": "http://shop/x", "method": "POST"}, "keyed", ["shop"]),
        ("http", {"url": "http://{host}/x", "method": "HEAD"}, "none", ["*"]),
        ("notify", {"to": "https://hooks.example/x", "text": "t"}, "once", ["hooks.example"]),
        ("notify", {"to": "mailto:{who}", "text": "t"}, "once", []),
        ("object", {"op": "get", "key": "k"}, "none", []),
        ("object", {"op": "put", "key": "k"}, "keyed", []),
        ("metric", {"metric": "m"}, "none", []),
        ("function", {"handler": "h"}, "keyed", []),
        ("agent", {"task": "t"}, "keyed", []),
        ("timer", {"for": "1s"}, "none", []),
    ],
)
def test_a_kind_knows_its_effect_and_its_hosts(
    kind: str, config: dict[str, Any], effect: str, hosts: list[str]
) -> None:
    made = msgspec.convert(config, KINDS[kind].config)
    assert KINDS[kind].effect(made) == effect
    assert list(KINDS[kind].hosts(made)) == hosts
