"""Contracts where HTTP differs from the verb: their text is sent as files by name, or as one YAML body."""

from typing import Annotated, Final, Literal

import msgspec

from aob.core.errors import CallerError, Invalid, Malformed, Problem
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import AnyCall, Call
from aob.server.http.route import DOCUMENT_MEDIA, Takes
from aob.server.http.verb_routes import Fields, Odd

KINDS: Final = ("event", "metric", "alert", "slo")
FILES_MAX: Final = 1_000

ONE_FILE: Final = "contracts.yaml"
JSON_KNOWN: Final = (b"", b"application/json")


class FilesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Contracts as text by file name: YAML or JSON, one or several in each."""

    files: Annotated[dict[str, str], msgspec.Meta(min_length=1, max_length=FILES_MAX)]


async def push(call: Call[object, bytes], fields: Fields) -> Answer:
    """Pushes contracts."""
    return json_answer(await call.act("push_contracts")(call.who, **{**fields, "files": _files(call)}))


async def check(call: Call[object, bytes], fields: Fields) -> Answer:
    """Checks contracts without pushing them."""
    return json_answer(await call.act("check_contracts")(call.who, _files(call)))


async def show(call: AnyCall, fields: Fields) -> Answer:
    """Shows one contract."""
    return json_answer(await call.act("contract")(call.who, **{**fields, "kind": _kind(fields["kind"])}))


async def diff(call: AnyCall, fields: Fields) -> Answer:
    """Compares two versions."""
    return json_answer(await call.act("diff_contract")(call.who, **{**fields, "kind": _kind(fields["kind"])}))


_files_of: Final = msgspec.json.Decoder(FilesBody)


def _files(call: Call[object, bytes]) -> dict[str, str]:
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

ODD: Final = {
    "push_contracts": Odd(push, TAKES_FILES),
    "check_contracts": Odd(check, TAKES_FILES),
    "show_contract": Odd(show),
    "diff_contract": Odd(diff),
}
