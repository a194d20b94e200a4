"""Contracts: push, check, list, show, compare. Their text travels as files by name, or as one YAML body."""

from typing import Annotated, Final, Literal

import msgspec

from aob.core.errors import CallerError, Conflict, Invalid, Malformed, Problem
from aob.core.metric_answers import ContractsPushed
from aob.core.verb import UNIT, Gives
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import DOCUMENT_MEDIA, NO_BODY, Route, Takes, takes
from aob.server.routes.live.shapes import (
    ContractDiff,
    ContractList,
    ContractsChecked,
    ContractView,
    DefaultVersion,
)

KINDS: Final = ("event", "metric", "alert", "slo")
FILES_MAX: Final = 1_000
ONE_FILE: Final = "contracts.yaml"
JSON_KNOWN: Final = (b"", b"application/json")

Version = Annotated[int, msgspec.Meta(ge=0, le=1_000_000, description="0: the newest.")]


class FilesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Contracts as text by file name: YAML or JSON, one or several in each."""

    files: Annotated[dict[str, str], msgspec.Meta(min_length=1, max_length=FILES_MAX)]


class PushAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`dry_run` only says what a push would do; what breaks readers is taken over with `allow_breaking`."""

    dry_run: bool = False
    allow_breaking: bool = False


class VersionAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which version."""

    version: Version = 0


class DefaultBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which version judges the events of a type that name none."""

    version: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class DiffAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From which version to which."""

    a: Version
    b: Version = 0


async def push(call: Call[PushAsked, bytes]) -> Answer:
    """Take contracts over."""
    query = call.query
    pushed = await call.metrics.push_contracts(
        call.who, _files(call), dry_run=query.dry_run, allow_breaking=query.allow_breaking
    )
    return json_answer(pushed)


async def check(call: Call[Nothing, bytes]) -> Answer:
    """Look at contracts and take nothing over."""
    files = _files(call)
    try:
        seen = await call.metrics.push_contracts(call.who, files, dry_run=True, allow_breaking=True)
    except (Invalid, Conflict) as error:
        problems = getattr(error, "problems", ()) or (Problem("", error.detail, error.code, hint=error.hint),)
        return json_answer({"valid": False, "problems": problems})
    return json_answer({"valid": True, "problems": [], "new": seen["new"], "warnings": seen["warnings"]})


async def list_contracts(call: Call[Nothing, None]) -> Answer:
    """All of them."""
    return json_answer({"contracts": await call.metrics.contracts(call.who)})


async def show(call: Call[VersionAsked, None]) -> Answer:
    """One."""
    kind = _kind(call.params["kind"])
    return json_answer(await call.metrics.contract(call.who, kind, call.params["contract"], version=call.query.version))


async def set_default(call: Call[Nothing, DefaultBody]) -> Answer:
    """Which version judges events that name none."""
    return json_answer(await call.metrics.default_version(call.who, call.params["contract"], call.body.version))


async def diff(call: Call[DiffAsked, None]) -> Answer:
    """What changed."""
    kind, query = _kind(call.params["kind"]), call.query
    return json_answer(await call.metrics.diff_contract(call.who, kind, call.params["contract"], query.a, query.b))


_files_of: Final = msgspec.json.Decoder(FilesBody)


def _files(call: Call[PushAsked, bytes] | Call[Nothing, bytes]) -> dict[str, str]:
    """The files of a body. A JSON body of another shape than `{"files": …}` is a contract itself."""
    if call.media in JSON_KNOWN:
        try:
            return _files_of.decode(call.body).files
        except msgspec.ValidationError as error:
            if call.body.lstrip()[:1] == b"{" and b'"files"' in call.body:
                raise Invalid("the body is not what this route takes", [Problem("/files", str(error))]) from error
        except msgspec.DecodeError as error:
            raise Malformed(f"the body is not JSON: {error}", hint=_HINT) from error
    try:
        return {ONE_FILE: call.body.decode()}
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8: {error}", hint=_HINT) from error


def _kind(text: str) -> Literal["event", "metric", "alert", "slo"]:
    for kind in KINDS:
        if kind == text:
            return kind
    raise CallerError(f"there is no kind {text[:50]!r}", code="bad_kind", hint=f"kinds are {', '.join(KINDS)}")


_HINT: Final = 'send {"files": {"orders.yaml": "event: order.created …"}}, or YAML as application/yaml'
TAKES_FILES: Final = Takes[bytes](FilesBody, bytes, media=DOCUMENT_MEDIA)
CONTRACT: Final = "/v1/contracts/{kind}/{contract}"

ROUTES: Final = (
    Route(
        "GET",
        "/v1/contracts",
        list_contracts,
        name="list_contracts",
        summary="List all contracts: events, metrics, alerts and objectives.",
        verb="contracts",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, ContractList, "The contracts."),),
    ),
    Route(
        "PUT",
        "/v1/contracts",
        push,
        name="push_contracts",
        summary="Take contracts over. All problems come at once with their places; a version that is there already "
        "must be the same; what breaks readers needs `allow_breaking`.",
        verb="push_contracts",
        query=PushAsked,
        body=TAKES_FILES,
        gives=(Gives(200, ContractsPushed, "What is new, and what was there already."),),
        refuses=(409,),
    ),
    Route(
        "PUT",
        "/v1/contracts/event/{contract}/default",
        set_default,
        name="set_default_version",
        summary="Let a version judge the events of a type that name none. A push never does.",
        verb="default_version",
        query=Nothing,
        body=takes(DefaultBody),
        gives=(Gives(200, DefaultVersion, "The default, and what it was."),),
    ),
    Route(
        "POST",
        "/v1/contracts:check",
        check,
        name="check_contracts",
        summary="Check contracts against those that are here and take nothing over.",
        verb="push_contracts",
        query=Nothing,
        body=TAKES_FILES,
        gives=(Gives(200, ContractsChecked, "The verdict."),),
        cost=UNIT,
    ),
    Route(
        "GET",
        CONTRACT,
        show,
        name="show_contract",
        summary="Show a contract, whole.",
        verb="contract",
        query=VersionAsked,
        body=NO_BODY,
        gives=(Gives(200, ContractView, "The contract."),),
    ),
    Route(
        "GET",
        f"{CONTRACT}/diff",
        diff,
        name="diff_contract",
        summary="Compare two versions of a contract, and say whether the change breaks readers.",
        verb="diff_contract",
        query=DiffAsked,
        body=NO_BODY,
        gives=(Gives(200, ContractDiff, "What changed from `a` to `b`."),),
    ),
)
