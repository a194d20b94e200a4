"""Documents for the tests of the graph: the one of the design, and texts that mark the place of their error."""

from typing import Final

from aob.core.graph import HandlerFacts

MARK: Final = "¤"
"""Stands in a text right before the place where a problem is expected."""

ORDER: Final = """\
workflow: order
inputs: {type: object, required: [order_id], properties: {order_id: {type: string}, email: {type: string}}}
nodes:
  fetch:   {kind: http, config: {url: "http://shop/orders/{order_id}"}, input: {order_id: inputs.order_id}, retry: {attempts: 5}}
  score:   {kind: function, config: {handler: score}, input: {order: nodes.fetch.output}, deterministic: true, cache: read_through}
  risky:   {kind: branch}
  review:  {kind: approval, config: {role: finance, form: {reason: string}}, timeout: {deadline: 2h, remind: 1h, expire: reject}}
  ship:    {kind: function, config: {handler: ship}}
  tell:    {kind: notify, config: {to: "mailto:{email}", text: "shipped"}, input: {email: inputs.email}}
edges:
  e1: {from: fetch, to: score}
  e2: {from: score, to: risky}
  e3: {from: risky, to: review, when: "nodes.score.output.risk > 0.7", order: 1}
  e4: {from: risky, to: ship, else: true}
  e5: {from: review, to: ship, on: approved}
  e6: {from: ship, to: tell}
"""  # noqa: E501  # as it stands in the design
"""The document of DESIGN section 4, whole."""

HANDLERS: Final = {
    "score": HandlerFacts("score", "v1", effect="none", deterministic=True),
    "ship": HandlerFacts("ship", "v1"),
    "look": HandlerFacts("look", "v1", effect="none"),
}


def marked(text: str) -> tuple[str, tuple[int, int]]:
    """The text without its mark, and the line and column (from 1) where the mark stood."""
    before, mark, after = text.partition(MARK)
    assert mark, "the text marks no place"
    assert MARK not in after, "the text marks more than one place"
    return before + after, (before.count("\n") + 1, len(before) - before.rfind("\n"))
