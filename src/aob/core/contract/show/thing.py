"""Parts of the graph of contracts: what there is, and what leads to what. Data only."""

import msgspec


class Thing(msgspec.Struct, frozen=True):
    """A node: `kind` is `event`, `metric`, `entity`, `alert`, `slo` or `workflow`; `id` is `kind/name`."""

    id: str
    kind: str
    name: str
    note: str = ""


class Link(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """An edge: `kind` is `moves`, `retracts`, `makes`, `sets`, `watches`, `promises` or `starts`."""

    source: str
    target: str
    kind: str
    expression: str = ""
