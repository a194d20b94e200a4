"""Verbs of contracts, of the catalog and of queries: push, check, list, show, compare, search, query."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.metric_answers import CatalogAnswer, ContractsPushed, Lineage, QueryAnswer
from aob.core.verb import UNIT, Gives, Http, NoArgs, Verb, ok
from aob.core.verbs.shapes import (
    ContractDiff,
    ContractList,
    ContractsChecked,
    ContractView,
    DefaultVersion,
    SearchHits,
    Word,
)

Version = Annotated[int, msgspec.Meta(ge=0, le=1_000_000, description="0: the newest.")]
TABLES: Final = ("text/csv", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet")
"""Media of rows as a file."""


class PushContracts(msgspec.Struct, frozen=True):
    """Contracts as text by file name. `dry_run` only reports what a push would do; `allow_breaking` accepts changes
    that break readers."""

    files: Mapping[str, str]
    dry_run: bool = False
    allow_breaking: bool = False


class CheckContracts(msgspec.Struct, frozen=True):
    """Contracts as text by file name, to check only."""

    files: Mapping[str, str]


class DefaultContract(msgspec.Struct, frozen=True):
    """Which version judges the events of a type that name none."""

    type: str = msgspec.field(name="contract")
    version: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class ShowContract(msgspec.Struct, frozen=True):
    """Which contract, and which version of it."""

    kind: str
    name: str = msgspec.field(name="contract")
    version: Version = 0


class DiffContract(msgspec.Struct, frozen=True):
    """From which version to which."""

    kind: str
    name: str = msgspec.field(name="contract")
    a: Version
    b: Version = 0


class ShowLineage(msgspec.Struct, frozen=True):
    """A metric or an event type whose lineage to show; all by default."""

    metric: Word = ""
    event: Word = ""


class SearchCatalog(msgspec.Struct, frozen=True):
    """Which words, and of which kind."""

    words: Annotated[str, msgspec.Meta(min_length=1, max_length=500, description="Words.")] = msgspec.field(name="q")
    kind: Annotated[Word, msgspec.Meta(description="Only things of this kind, such as `metric`.")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20


class AskQuery(msgspec.Struct, frozen=True):
    """Rows: metrics by name, an entity by its type, or SQL."""

    body: JsonObject


LIST: Final = Verb(
    "contracts", NoArgs, "view", "contract", "main",
    Http("GET", "/v1/contracts", "list_contracts", "List all contracts: events, metrics, alerts and objectives.",
         ok(ContractList, "The contracts."), wraps="contracts"),
)  # fmt: skip
PUSH: Final = Verb(
    "push_contracts", PushContracts, "deploy", "contract", "main",
    Http("PUT", "/v1/contracts", "push_contracts",
         "Take contracts over. All problems come at once with their places; a version that is there already "
         "must be the same; what breaks readers needs `allow_breaking`.",
         ok(ContractsPushed, "What is new, and what was there already."), whole="files",
         query=("dry_run", "allow_breaking"), refuses=(409,)),
)  # fmt: skip
DEFAULT: Final = Verb(
    "default_version", DefaultContract, "deploy", "contract", "main",
    Http("PUT", "/v1/contracts/event/{contract}/default", "set_default_version",
         "Let a version judge the events of a type that name none. A push never does.",
         ok(DefaultVersion, "The default, and what it was."), takes="DefaultBody"),
)  # fmt: skip
CHECK: Final = Verb(
    "check_contracts", CheckContracts, "deploy", "contract", "main",
    Http("POST", "/v1/contracts:check", "check_contracts",
         "Check contracts against those that are here and take nothing over.", ok(ContractsChecked, "The verdict."),
         whole="files", cost=UNIT),
)  # fmt: skip
SHOW: Final = Verb(
    "contract", ShowContract, "view", "contract", "main",
    Http("GET", "/v1/contracts/{kind}/{contract}", "show_contract", "Show a contract, whole.",
         ok(ContractView, "The contract.")),
)  # fmt: skip
DIFF: Final = Verb(
    "diff_contract", DiffContract, "view", "contract", "main",
    Http("GET", "/v1/contracts/{kind}/{contract}/diff", "diff_contract",
         "Compare two versions of a contract, and say whether the change breaks readers.",
         ok(ContractDiff, "What changed from `a` to `b`.")),
)  # fmt: skip
QUERY: Final = Verb(
    "query", AskQuery, "view", "row", "main",
    Http("POST", "/v1/query", "query",
         "Ask for rows: metrics and dimensions by name, an entity's states, or SQL over the tenant's views.",
         (Gives(200, QueryAnswer, "The rows; as a file when `Accept` names one."),
          *(Gives(200, bytes, "The rows.", media) for media in TABLES)), whole="body", refuses=(404, 413), cost=UNIT),
)  # fmt: skip
CATALOG: Final = Verb(
    "catalog", NoArgs, "view", "contract", "main",
    Http("GET", "/v1/catalog", "show_catalog",
         "List all that may be asked for: events, metrics, entities, dimensions, alerts, views.",
         ok(CatalogAnswer, "The catalog.")),
)  # fmt: skip
SEARCH: Final = Verb(
    "search", SearchCatalog, "view", "contract", "main",
    Http("GET", "/v1/search", "search_catalog", "Find things of the catalog by words.",
         ok(SearchHits, "What was found, best first."), wraps="hits"),
)  # fmt: skip
LINEAGE: Final = Verb(
    "lineage", ShowLineage, "view", "contract", "main",
    Http("GET", "/v1/lineage", "show_lineage",
         "Show what moves what: the graph of events, metrics, entities and alerts.", ok(Lineage, "The graph."),
         refuses=(404,)),
)  # fmt: skip

VERBS: Final = (LIST, PUSH, DEFAULT, CHECK, SHOW, DIFF, QUERY, CATALOG, SEARCH, LINEAGE)
