"""Normalises answers of model providers to the form that their protocols promise. Takes the body of a 200 of OpenAI
chat completions, OpenAI responses or Anthropic messages, and removes what clients do not expect: blocks and fields of
unknown kinds, null texts, arguments that are not text, counts that are not numbers. Keeps texts, stop reason and usage.
Pure; any other body is returned unchanged."""

import re
from typing import Final, Literal, TypeGuard

import msgspec

from aob.ports.model import Json

_BYTE_ORDER_MARK: Final = "\ufeff"
_FENCE: Final = re.compile(r"```[A-Za-z0-9_+-]*[ \t]*\r?\n(.*?)\r?\n?[ \t]*```", re.DOTALL)
_COUNTS: Final = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_STATUSES: Final = frozenset({"completed", "failed", "in_progress", "cancelled", "queued", "incomplete"})
_CUT: Final = frozenset({"length", "max_tokens", "max_output_tokens", "max_tool_calls", "max_messages", "incomplete"})
_BROKEN: Final = frozenset({"error", "failed", "cancelled", "in_progress", "queued"})
_SAID_NO: Final = re.compile(r"filter|refus|guardrail|safety|prohibit|block|sensitive|moderat|recitation|spii", re.I)


def tidied(body: bytes) -> bytes:
    """The normalised body of an answer."""
    try:
        value = msgspec.json.decode(body.removeprefix(_BYTE_ORDER_MARK.encode()))
    except (msgspec.DecodeError, RecursionError):
        return body
    if not isinstance(value, dict):
        return body
    if isinstance(value.get("choices"), list):
        return msgspec.json.encode(_completion(value))
    if value.get("object") == "response" or isinstance(value.get("output"), list):
        return msgspec.json.encode(_response(value))
    if isinstance(value.get("content"), list) and "choices" not in value:
        return msgspec.json.encode(_message(value))
    return body


def _completion(value: dict[str, Json]) -> dict[str, Json]:
    choices = [_choice(each, n) for n, each in enumerate(value["choices"]) if isinstance(each, dict)]
    made: dict[str, Json] = {
        "id": _text(value.get("id"), "none"),
        "object": "chat.completion",
        "created": _count(value.get("created")) or 0,
        "model": _text(value.get("model"), "unknown"),
        "choices": choices,
    }
    used = _dict(value.get("usage"))
    counts = _counts(used, ("prompt_tokens", "completion_tokens"))
    if len(counts) == 2:
        made["usage"] = {**counts, "total_tokens": sum(counts.values())}
        for name in ("prompt_tokens_details", "completion_tokens_details"):
            if name in used:
                made["usage"][name] = _counts(_dict(used[name]))
    return made


def _choice(choice: dict[str, Json], index: int) -> dict[str, Json]:
    told = _dict(choice.get("message"))
    said: dict[str, Json] = {"role": "assistant", "content": _joined(told.get("content"))}
    said["refusal"] = _text(told.get("refusal")) or None
    calls = told.get("tool_calls")
    if isinstance(calls, list) and (made := [call for n, each in enumerate(calls) if (call := _call(each, n))]):
        said["tool_calls"] = made
    return {
        "index": index,
        "message": said,
        "logprobs": None,
        "finish_reason": _text(choice.get("finish_reason")) or None,
    }


def _call(call: Json, index: int) -> dict[str, Json] | None:
    function = _dict(_dict(call).get("function"))
    if not _text(function.get("name")):
        return None
    args = function.get("arguments", "{}")
    return {
        "id": _text(_dict(call).get("id"), f"call_{index}"),
        "type": "function",
        "function": {"name": function["name"], "arguments": args if isinstance(args, str) else _encoded(args)},
    }


def _joined(content: Json) -> str | None:
    """The texts of a content, which may be a list of parts; skips parts that are not text."""
    if isinstance(content, list):
        parts = [_text(part.get("text")) if _is(part) else _text(part) for part in content]
        return "".join(parts) or None
    return _text(content) or None


def _response(value: dict[str, Json]) -> dict[str, Json]:
    output = value["output"] if isinstance(value.get("output"), list) else []
    status = _text(value.get("status"), "completed")
    made: dict[str, Json] = {
        "id": _text(value.get("id"), "none"),
        "object": "response",
        "created_at": _count(value.get("created_at")) or 0,
        "model": _text(value.get("model"), "unknown"),
        "status": status if status in _STATUSES else "incomplete",
        "output": [item for n, each in enumerate(output) if (item := _item(each, n))],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    if reason := _text(_dict(value.get("incomplete_details")).get("reason")):
        made["incomplete_details"] = {"reason": reason}
    if value.get("error"):
        error = _dict(value["error"])
        said = _text(error.get("message"), _text(value["error"], "no reason is given"))
        made["error"] = {"code": _text(error.get("code"), "server_error"), "message": said}
    counts = _counts(used := _dict(value.get("usage")), ("input_tokens", "output_tokens"))
    if len(counts) == 2:
        cached = _counts(_dict(used.get("input_tokens_details")), ("cached_tokens", "cache_write_tokens"))
        thought = _counts(_dict(used.get("output_tokens_details")), ("reasoning_tokens",))
        made["usage"] = {
            **counts, "total_tokens": sum(counts.values()),
            "input_tokens_details": {"cached_tokens": 0, **cached},
            "output_tokens_details": {"reasoning_tokens": 0, **thought},
        }  # fmt: skip
    return made


def _item(item: Json, index: int) -> dict[str, Json] | None:
    if not _is(item):
        return None
    id = _text(item.get("id"), f"item_{index}")
    if item.get("type") == "function_call" and _text(item.get("name")):
        args = item.get("arguments", "{}")
        return {
            "type": "function_call", "id": id, "call_id": _text(item.get("call_id"), id), "name": item["name"],
            "arguments": args if isinstance(args, str) else _encoded(args), "status": "completed",
        }  # fmt: skip
    if item.get("type") != "message":
        return None
    content = item.get("content")
    if isinstance(content, str):
        content = [{"type": "output_text", "text": content}]
    parts = [part for part in content if _is(part)] if isinstance(content, list) else []
    said = "".join(_text(part.get("text")) for part in parts if part.get("type") in {"output_text", "text"})
    refused = "".join(_text(part.get("refusal")) for part in parts if part.get("type") == "refusal")
    made = [{"type": "output_text", "text": said, "annotations": []}] if said else []
    made += [{"type": "refusal", "refusal": refused}] if refused else []
    return {"type": "message", "id": id, "role": "assistant", "status": "completed", "content": made} if made else None


def _message(value: dict[str, Json]) -> dict[str, Json]:
    made: dict[str, Json] = {
        "id": _text(value.get("id"), "none"),
        "type": "message",
        "role": "assistant",
        "model": _text(value.get("model"), "unknown"),
        "content": [block for n, each in enumerate(value["content"]) if (block := _block(each, n))],
        "stop_reason": _text(value.get("stop_reason")) or None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0, **_counts(_dict(value.get("usage")), _COUNTS)},
    }
    if explanation := _text(_dict(value.get("stop_details")).get("explanation")):
        made["stop_details"] = {"type": "refusal", "explanation": explanation, "category": None}
    return made


def _block(block: Json, index: int) -> dict[str, Json] | None:
    if not _is(block):
        return None
    kind = block.get("type")
    if kind == "text" and _text(block.get("text")):
        return {"type": "text", "text": block["text"]}
    if kind == "tool_use" and _text(block.get("name")):
        id = _text(block.get("id"), f"toolu_{index}")
        return {"type": "tool_use", "id": id, "name": block["name"], "input": block.get("input", {})}
    return None


def _is(value: Json) -> TypeGuard[dict[str, Json]]:
    return isinstance(value, dict)


def _dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _text(value: Json, otherwise: str = "") -> str:
    return value if isinstance(value, str) and value else otherwise


def _count(value: Json) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 53 else None


def _counts(value: dict[str, Json], names: tuple[str, ...] = ()) -> dict[str, int]:
    counted = {name: _count(each) for name, each in value.items() if not names or name in names}
    return {name: each for name, each in counted.items() if each is not None}


def _encoded(value: Json) -> str:
    return msgspec.json.encode(value).decode()


def why_stopped(reason: str, raw: str) -> Literal["", "cut", "context", "refused", "paused", "error"]:
    """What a stop reason means: `` for an end, `cut` at the limit of tokens, `context` at the end of what the model can
    take, `refused` by the model or a filter, `paused` when it wants to continue, `error` when it failed. `reason` is
    the library's word, `raw` the provider's."""
    if "context" in raw and ("exceed" in raw or "length" in raw or "window" in raw):
        return "context"
    if reason == "content_filter" or _SAID_NO.search(raw):
        return "refused"
    if reason == "length" or raw in _CUT:
        return "cut"
    if raw == "pause_turn":
        return "paused"
    return "error" if reason == "error" or raw in _BROKEN else ""


def json_in(text: str, *, object_wanted: bool) -> Json:
    """The JSON value of a text, after a byte order mark, in a code fence, or as JSON in a string where an object is
    expected; UNSET when there is none."""
    text = text.strip().removeprefix(_BYTE_ORDER_MARK).strip()
    value = _decoded(text)
    if value is msgspec.UNSET and len(found := _FENCE.findall(text)) == 1:
        value = _decoded(found[0].strip().removeprefix(_BYTE_ORDER_MARK))
    if object_wanted and isinstance(value, str) and isinstance(inner := _decoded(value.strip()), dict):
        return inner
    return value


def _decoded(text: str) -> Json:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return msgspec.UNSET
