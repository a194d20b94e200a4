from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Json(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Empty(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Bytes(_message.Message):
    __slots__ = ("data", "media")
    DATA_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    media: str
    def __init__(self, data: _Optional[bytes] = ..., media: _Optional[str] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("id", "event", "data")
    ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    id: str
    event: str
    data: str
    def __init__(self, id: _Optional[str] = ..., event: _Optional[str] = ..., data: _Optional[str] = ...) -> None: ...

class StartRunRequest(_message.Message):
    __slots__ = ("wait", "workflow", "tag", "inputs", "key", "mode", "priority", "labels")
    class InputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WAIT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    wait: str
    workflow: str
    tag: str
    inputs: _containers.MessageMap[str, Json]
    key: str
    mode: str
    priority: str
    labels: _containers.ScalarMap[str, str]
    def __init__(self, wait: _Optional[str] = ..., workflow: _Optional[str] = ..., tag: _Optional[str] = ..., inputs: _Optional[_Mapping[str, Json]] = ..., key: _Optional[str] = ..., mode: _Optional[str] = ..., priority: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class RunStarted(_message.Message):
    __slots__ = ("created", "run_id", "status", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CREATED_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    created: bool
    run_id: str
    status: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, created: _Optional[bool] = ..., run_id: _Optional[str] = ..., status: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class StartRunsRequest(_message.Message):
    __slots__ = ("body", "media")
    BODY_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    media: str
    def __init__(self, body: _Optional[bytes] = ..., media: _Optional[str] = ...) -> None: ...

class StartVerdict(_message.Message):
    __slots__ = ("created", "error", "run_id", "status", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CREATED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    created: bool
    error: ProblemBody
    run_id: str
    status: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, created: _Optional[bool] = ..., error: _Optional[_Union[ProblemBody, _Mapping]] = ..., run_id: _Optional[str] = ..., status: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ProblemBody(_message.Message):
    __slots__ = ("code", "detail", "hint", "instance", "problems", "retry_after_s", "status", "title", "type", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    code: str
    detail: str
    hint: str
    instance: str
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    retry_after_s: float
    status: int
    title: str
    type: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, code: _Optional[str] = ..., detail: _Optional[str] = ..., hint: _Optional[str] = ..., instance: _Optional[str] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., retry_after_s: _Optional[float] = ..., status: _Optional[int] = ..., title: _Optional[str] = ..., type: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("path", "message", "code", "line", "column", "hint", "caret", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    PATH_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    CARET_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    path: str
    message: str
    code: str
    line: int
    column: int
    hint: str
    caret: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, path: _Optional[str] = ..., message: _Optional[str] = ..., code: _Optional[str] = ..., line: _Optional[int] = ..., column: _Optional[int] = ..., hint: _Optional[str] = ..., caret: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class StartRunsAnswer(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[StartVerdict]
    def __init__(self, items: _Optional[_Iterable[_Union[StartVerdict, _Mapping]]] = ...) -> None: ...

class ListRunsRequest(_message.Message):
    __slots__ = ("status", "workflow", "label", "limit", "cursor")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    status: str
    workflow: str
    label: _containers.RepeatedScalarFieldContainer[str]
    limit: int
    cursor: str
    def __init__(self, status: _Optional[str] = ..., workflow: _Optional[str] = ..., label: _Optional[_Iterable[str]] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class RunPage(_message.Message):
    __slots__ = ("as_of", "next", "read", "runs", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    as_of: str
    next: str
    read: ReadFrom
    runs: _containers.RepeatedCompositeFieldContainer[RunRow]
    more: _containers.MessageMap[str, Json]
    def __init__(self, as_of: _Optional[str] = ..., next: _Optional[str] = ..., read: _Optional[_Union[ReadFrom, _Mapping]] = ..., runs: _Optional[_Iterable[_Union[RunRow, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ReadFrom(_message.Message):
    __slots__ = ("replayed_at", "source", "why", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    REPLAYED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    replayed_at: int
    source: str
    why: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, replayed_at: _Optional[int] = ..., source: _Optional[str] = ..., why: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class RunRow(_message.Message):
    __slots__ = ("artifact", "ended_at", "labels", "reason", "run_id", "started_at", "status", "tag", "version", "workflow", "more")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    artifact: str
    ended_at: int
    labels: _containers.ScalarMap[str, str]
    reason: str
    run_id: str
    started_at: int
    status: str
    tag: str
    version: str
    workflow: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, artifact: _Optional[str] = ..., ended_at: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., reason: _Optional[str] = ..., run_id: _Optional[str] = ..., started_at: _Optional[int] = ..., status: _Optional[str] = ..., tag: _Optional[str] = ..., version: _Optional[str] = ..., workflow: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowRunRequest(_message.Message):
    __slots__ = ("run_id", "min_position", "wait")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    min_position: str
    wait: str
    def __init__(self, run_id: _Optional[str] = ..., min_position: _Optional[str] = ..., wait: _Optional[str] = ...) -> None: ...

class RunView(_message.Message):
    __slots__ = ("artifact", "build", "cost", "ended_at", "error", "graph", "inputs", "labels", "nodes", "output", "patches", "reason", "run_id", "started_at", "status", "tag", "tickets", "timers", "version", "workflow", "more")
    class CostEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class GraphEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class NodesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: NodeView
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[NodeView, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    PATCHES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    TICKETS_FIELD_NUMBER: _ClassVar[int]
    TIMERS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    artifact: str
    build: str
    cost: _containers.MessageMap[str, Json]
    ended_at: int
    error: Json
    graph: _containers.MessageMap[str, Json]
    inputs: Json
    labels: _containers.ScalarMap[str, str]
    nodes: _containers.MessageMap[str, NodeView]
    output: Json
    patches: _containers.RepeatedCompositeFieldContainer[Json]
    reason: str
    run_id: str
    started_at: int
    status: str
    tag: str
    tickets: _containers.RepeatedScalarFieldContainer[str]
    timers: _containers.RepeatedCompositeFieldContainer[Json]
    version: str
    workflow: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, artifact: _Optional[str] = ..., build: _Optional[str] = ..., cost: _Optional[_Mapping[str, Json]] = ..., ended_at: _Optional[int] = ..., error: _Optional[_Union[Json, _Mapping]] = ..., graph: _Optional[_Mapping[str, Json]] = ..., inputs: _Optional[_Union[Json, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., nodes: _Optional[_Mapping[str, NodeView]] = ..., output: _Optional[_Union[Json, _Mapping]] = ..., patches: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., reason: _Optional[str] = ..., run_id: _Optional[str] = ..., started_at: _Optional[int] = ..., status: _Optional[str] = ..., tag: _Optional[str] = ..., tickets: _Optional[_Iterable[str]] = ..., timers: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., version: _Optional[str] = ..., workflow: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class NodeView(_message.Message):
    __slots__ = ("attempt", "error", "kind", "labels", "memo", "output", "state", "waits", "more")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WAITS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    error: Json
    kind: str
    labels: _containers.MessageMap[str, Json]
    memo: Json
    output: Json
    state: str
    waits: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, attempt: _Optional[int] = ..., error: _Optional[_Union[Json, _Mapping]] = ..., kind: _Optional[str] = ..., labels: _Optional[_Mapping[str, Json]] = ..., memo: _Optional[_Union[Json, _Mapping]] = ..., output: _Optional[_Union[Json, _Mapping]] = ..., state: _Optional[str] = ..., waits: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class CancelRunRequest(_message.Message):
    __slots__ = ("run_id", "reason")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    reason: str
    def __init__(self, run_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("created", "position", "run_id", "status", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CREATED_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    created: bool
    position: str
    run_id: str
    status: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, created: _Optional[bool] = ..., position: _Optional[str] = ..., run_id: _Optional[str] = ..., status: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ReleaseRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class RepinRunRequest(_message.Message):
    __slots__ = ("run_id", "build")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    build: str
    def __init__(self, run_id: _Optional[str] = ..., build: _Optional[str] = ...) -> None: ...

class Repinned(_message.Message):
    __slots__ = ("build", "run_id", "was", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BUILD_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WAS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    build: str
    run_id: str
    was: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, build: _Optional[str] = ..., run_id: _Optional[str] = ..., was: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowTimelineRequest(_message.Message):
    __slots__ = ("run_id", "after", "limit")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    after: int
    limit: int
    def __init__(self, run_id: _Optional[str] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class Timeline(_message.Message):
    __slots__ = ("events", "next", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[TimelineEvent]
    next: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, events: _Optional[_Iterable[_Union[TimelineEvent, _Mapping]]] = ..., next: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class TimelineEvent(_message.Message):
    __slots__ = ("at", "position", "seq", "type", "visit", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    position: str
    seq: int
    type: str
    visit: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., position: _Optional[str] = ..., seq: _Optional[int] = ..., type: _Optional[str] = ..., visit: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ExplainRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class Why(_message.Message):
    __slots__ = ("details", "run_id", "sentence", "status", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    details: _containers.RepeatedCompositeFieldContainer[Json]
    run_id: str
    sentence: str
    status: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, details: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., run_id: _Optional[str] = ..., sentence: _Optional[str] = ..., status: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowRunGraphRequest(_message.Message):
    __slots__ = ("run_id", "min_position")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    min_position: str
    def __init__(self, run_id: _Optional[str] = ..., min_position: _Optional[str] = ...) -> None: ...

class RunGraph(_message.Message):
    __slots__ = ("graph", "nodes", "run_id", "status", "version", "more")
    class GraphEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class NodesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: NodeView
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[NodeView, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    graph: _containers.MessageMap[str, Json]
    nodes: _containers.MessageMap[str, NodeView]
    run_id: str
    status: str
    version: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, graph: _Optional[_Mapping[str, Json]] = ..., nodes: _Optional[_Mapping[str, NodeView]] = ..., run_id: _Optional[str] = ..., status: _Optional[str] = ..., version: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SendMessageRequest(_message.Message):
    __slots__ = ("run_id", "name", "key", "payload", "id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    name: str
    key: str
    payload: Json
    id: str
    def __init__(self, run_id: _Optional[str] = ..., name: _Optional[str] = ..., key: _Optional[str] = ..., payload: _Optional[_Union[Json, _Mapping]] = ..., id: _Optional[str] = ...) -> None: ...

class ReplayRunRequest(_message.Message):
    __slots__ = ("run_id", "mode", "patches", "assume")
    class AssumeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    PATCHES_FIELD_NUMBER: _ClassVar[int]
    ASSUME_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    mode: str
    patches: _containers.RepeatedCompositeFieldContainer[Json]
    assume: _containers.MessageMap[str, Json]
    def __init__(self, run_id: _Optional[str] = ..., mode: _Optional[str] = ..., patches: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., assume: _Optional[_Mapping[str, Json]] = ..., **kwargs) -> None: ...

class ForkRunRequest(_message.Message):
    __slots__ = ("run_id", "patches", "assume")
    class AssumeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    PATCHES_FIELD_NUMBER: _ClassVar[int]
    ASSUME_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    patches: _containers.RepeatedCompositeFieldContainer[Json]
    assume: _containers.MessageMap[str, Json]
    def __init__(self, run_id: _Optional[str] = ..., patches: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., assume: _Optional[_Mapping[str, Json]] = ..., **kwargs) -> None: ...

class Forked(_message.Message):
    __slots__ = ("run_id", "status", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    status: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, run_id: _Optional[str] = ..., status: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class PruneRunsRequest(_message.Message):
    __slots__ = ("before", "workflow", "status", "reason", "dry_run", "cursor")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    before: Json
    workflow: str
    status: str
    reason: str
    dry_run: bool
    cursor: str
    def __init__(self, before: _Optional[_Union[Json, _Mapping]] = ..., workflow: _Optional[str] = ..., status: _Optional[str] = ..., reason: _Optional[str] = ..., dry_run: _Optional[bool] = ..., cursor: _Optional[str] = ...) -> None: ...

class Pruned(_message.Message):
    __slots__ = ("before", "bytes", "dry_run", "events", "kept", "newest", "next", "oldest", "record", "runs", "values", "values_bytes", "workflows", "more")
    class KeptEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class WorkflowsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    OLDEST_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    VALUES_BYTES_FIELD_NUMBER: _ClassVar[int]
    WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    before: int
    bytes: int
    dry_run: bool
    events: int
    kept: _containers.ScalarMap[str, int]
    newest: int
    next: str
    oldest: int
    record: str
    runs: int
    values: int
    values_bytes: int
    workflows: _containers.ScalarMap[str, int]
    more: _containers.MessageMap[str, Json]
    def __init__(self, before: _Optional[int] = ..., bytes: _Optional[int] = ..., dry_run: _Optional[bool] = ..., events: _Optional[int] = ..., kept: _Optional[_Mapping[str, int]] = ..., newest: _Optional[int] = ..., next: _Optional[str] = ..., oldest: _Optional[int] = ..., record: _Optional[str] = ..., runs: _Optional[int] = ..., values: _Optional[int] = ..., values_bytes: _Optional[int] = ..., workflows: _Optional[_Mapping[str, int]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ProposePatchRequest(_message.Message):
    __slots__ = ("run_id", "operations", "base", "kind", "reason", "id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    operations: _containers.RepeatedCompositeFieldContainer[Json]
    base: str
    kind: str
    reason: str
    id: str
    def __init__(self, run_id: _Optional[str] = ..., operations: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., base: _Optional[str] = ..., kind: _Optional[str] = ..., reason: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class PatchVerdict(_message.Message):
    __slots__ = ("cascade", "diff", "lines", "patch_id", "state", "ticket", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CASCADE_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    PATCH_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    cascade: _containers.RepeatedCompositeFieldContainer[PatchVerdict]
    diff: Json
    lines: _containers.RepeatedScalarFieldContainer[str]
    patch_id: str
    state: str
    ticket: str
    version: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, cascade: _Optional[_Iterable[_Union[PatchVerdict, _Mapping]]] = ..., diff: _Optional[_Union[Json, _Mapping]] = ..., lines: _Optional[_Iterable[str]] = ..., patch_id: _Optional[str] = ..., state: _Optional[str] = ..., ticket: _Optional[str] = ..., version: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class CreatePatchRequest(_message.Message):
    __slots__ = ("run_id", "operations", "base", "kind", "reason", "id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    operations: _containers.RepeatedCompositeFieldContainer[Json]
    base: str
    kind: str
    reason: str
    id: str
    def __init__(self, run_id: _Optional[str] = ..., operations: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., base: _Optional[str] = ..., kind: _Optional[str] = ..., reason: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class ListPatchesRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class PatchList(_message.Message):
    __slots__ = ("patches", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    PATCHES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    patches: _containers.RepeatedCompositeFieldContainer[PatchRow]
    more: _containers.MessageMap[str, Json]
    def __init__(self, patches: _Optional[_Iterable[_Union[PatchRow, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class PatchRow(_message.Message):
    __slots__ = ("author", "kind", "patch_id", "reason", "run_id", "state", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PATCH_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    author: str
    kind: str
    patch_id: str
    reason: str
    run_id: str
    state: str
    version: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, author: _Optional[str] = ..., kind: _Optional[str] = ..., patch_id: _Optional[str] = ..., reason: _Optional[str] = ..., run_id: _Optional[str] = ..., state: _Optional[str] = ..., version: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowPatchRequest(_message.Message):
    __slots__ = ("patch_id",)
    PATCH_ID_FIELD_NUMBER: _ClassVar[int]
    patch_id: str
    def __init__(self, patch_id: _Optional[str] = ...) -> None: ...

class PatchView(_message.Message):
    __slots__ = ("after", "author", "base", "before", "diff", "kind", "lines", "operations", "patch_id", "reason", "run_id", "state", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AFTER_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    PATCH_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    after: Json
    author: str
    base: str
    before: Json
    diff: Json
    kind: str
    lines: _containers.RepeatedScalarFieldContainer[str]
    operations: _containers.RepeatedCompositeFieldContainer[Json]
    patch_id: str
    reason: str
    run_id: str
    state: str
    version: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, after: _Optional[_Union[Json, _Mapping]] = ..., author: _Optional[str] = ..., base: _Optional[str] = ..., before: _Optional[_Union[Json, _Mapping]] = ..., diff: _Optional[_Union[Json, _Mapping]] = ..., kind: _Optional[str] = ..., lines: _Optional[_Iterable[str]] = ..., operations: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., patch_id: _Optional[str] = ..., reason: _Optional[str] = ..., run_id: _Optional[str] = ..., state: _Optional[str] = ..., version: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ApprovePatchRequest(_message.Message):
    __slots__ = ("patch_id", "reason")
    PATCH_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    patch_id: str
    reason: str
    def __init__(self, patch_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RejectPatchRequest(_message.Message):
    __slots__ = ("patch_id", "reason")
    PATCH_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    patch_id: str
    reason: str
    def __init__(self, patch_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RollbackPatchRequest(_message.Message):
    __slots__ = ("patch_id", "cascade")
    PATCH_ID_FIELD_NUMBER: _ClassVar[int]
    CASCADE_FIELD_NUMBER: _ClassVar[int]
    patch_id: str
    cascade: bool
    def __init__(self, patch_id: _Optional[str] = ..., cascade: _Optional[bool] = ...) -> None: ...

class FollowRunRequest(_message.Message):
    __slots__ = ("run_id", "position", "type")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    position: str
    type: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, run_id: _Optional[str] = ..., position: _Optional[str] = ..., type: _Optional[_Iterable[str]] = ...) -> None: ...

class FollowAllRequest(_message.Message):
    __slots__ = ("position", "type")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    position: str
    type: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, position: _Optional[str] = ..., type: _Optional[_Iterable[str]] = ...) -> None: ...

class FollowLogsRequest(_message.Message):
    __slots__ = ("run_id", "node", "follow")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    node: str
    follow: bool
    def __init__(self, run_id: _Optional[str] = ..., node: _Optional[str] = ..., follow: _Optional[bool] = ...) -> None: ...

class ListWorkflowsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WorkflowList(_message.Message):
    __slots__ = ("workflows", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    workflows: _containers.RepeatedCompositeFieldContainer[WorkflowRow]
    more: _containers.MessageMap[str, Json]
    def __init__(self, workflows: _Optional[_Iterable[_Union[WorkflowRow, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class WorkflowRow(_message.Message):
    __slots__ = ("artifact", "description", "tags", "version", "workflow", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    artifact: str
    description: str
    tags: Json
    version: str
    workflow: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, artifact: _Optional[str] = ..., description: _Optional[str] = ..., tags: _Optional[_Union[Json, _Mapping]] = ..., version: _Optional[str] = ..., workflow: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class PushWorkflowRequest(_message.Message):
    __slots__ = ("name", "tag", "body", "media")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    name: str
    tag: str
    body: bytes
    media: str
    def __init__(self, name: _Optional[str] = ..., tag: _Optional[str] = ..., body: _Optional[bytes] = ..., media: _Optional[str] = ...) -> None: ...

class WorkflowPushed(_message.Message):
    __slots__ = ("artifact", "created", "tag", "version", "warnings", "workflow", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    artifact: str
    created: bool
    tag: str
    version: str
    warnings: _containers.RepeatedCompositeFieldContainer[Json]
    workflow: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, artifact: _Optional[str] = ..., created: _Optional[bool] = ..., tag: _Optional[str] = ..., version: _Optional[str] = ..., warnings: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., workflow: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowWorkflowRequest(_message.Message):
    __slots__ = ("name", "tag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    tag: str
    def __init__(self, name: _Optional[str] = ..., tag: _Optional[str] = ...) -> None: ...

class WorkflowView(_message.Message):
    __slots__ = ("artifact", "document", "tag", "tags", "version", "workflow", "more")
    class DocumentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    artifact: str
    document: _containers.MessageMap[str, Json]
    tag: str
    tags: Json
    version: str
    workflow: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, artifact: _Optional[str] = ..., document: _Optional[_Mapping[str, Json]] = ..., tag: _Optional[str] = ..., tags: _Optional[_Union[Json, _Mapping]] = ..., version: _Optional[str] = ..., workflow: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class DiffWorkflowRequest(_message.Message):
    __slots__ = ("name", "a", "b")
    NAME_FIELD_NUMBER: _ClassVar[int]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    name: str
    a: str
    b: str
    def __init__(self, name: _Optional[str] = ..., a: _Optional[str] = ..., b: _Optional[str] = ...) -> None: ...

class WorkflowDiff(_message.Message):
    __slots__ = ("a", "b", "diff", "lines", "workflow", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    a: Json
    b: Json
    diff: Json
    lines: _containers.RepeatedScalarFieldContainer[str]
    workflow: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, a: _Optional[_Union[Json, _Mapping]] = ..., b: _Optional[_Union[Json, _Mapping]] = ..., diff: _Optional[_Union[Json, _Mapping]] = ..., lines: _Optional[_Iterable[str]] = ..., workflow: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class PatchTagRequest(_message.Message):
    __slots__ = ("name", "tag", "operations", "base", "kind", "reason", "id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    tag: str
    operations: _containers.RepeatedCompositeFieldContainer[Json]
    base: str
    kind: str
    reason: str
    id: str
    def __init__(self, name: _Optional[str] = ..., tag: _Optional[str] = ..., operations: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., base: _Optional[str] = ..., kind: _Optional[str] = ..., reason: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class TagPatched(_message.Message):
    __slots__ = ("artifact", "diff", "graph", "lines", "reasons", "state", "tag", "ticket", "version", "workflow", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    artifact: str
    diff: Json
    graph: str
    lines: _containers.RepeatedScalarFieldContainer[str]
    reasons: _containers.RepeatedScalarFieldContainer[str]
    state: str
    tag: str
    ticket: str
    version: str
    workflow: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, artifact: _Optional[str] = ..., diff: _Optional[_Union[Json, _Mapping]] = ..., graph: _Optional[str] = ..., lines: _Optional[_Iterable[str]] = ..., reasons: _Optional[_Iterable[str]] = ..., state: _Optional[str] = ..., tag: _Optional[str] = ..., ticket: _Optional[str] = ..., version: _Optional[str] = ..., workflow: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ValidateWorkflowRequest(_message.Message):
    __slots__ = ("body", "media")
    BODY_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    media: str
    def __init__(self, body: _Optional[bytes] = ..., media: _Optional[str] = ...) -> None: ...

class Validated(_message.Message):
    __slots__ = ("problems", "valid", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    VALID_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    valid: bool
    more: _containers.MessageMap[str, Json]
    def __init__(self, problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., valid: _Optional[bool] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListTicketsRequest(_message.Message):
    __slots__ = ("open", "role", "run_id", "limit", "cursor")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    open: bool
    role: str
    run_id: str
    limit: int
    cursor: str
    def __init__(self, open: _Optional[bool] = ..., role: _Optional[str] = ..., run_id: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class TicketList(_message.Message):
    __slots__ = ("next", "tickets", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    NEXT_FIELD_NUMBER: _ClassVar[int]
    TICKETS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    next: str
    tickets: _containers.RepeatedCompositeFieldContainer[TicketView]
    more: _containers.MessageMap[str, Json]
    def __init__(self, next: _Optional[str] = ..., tickets: _Optional[_Iterable[_Union[TicketView, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class TicketView(_message.Message):
    __slots__ = ("agent", "by", "choice", "choices", "due", "form", "key", "patch_id", "reason", "role", "roles", "run_id", "shown", "state", "subject", "tag", "text", "ticket_id", "values", "visit", "workflow", "more")
    class FormEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGENT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PATCH_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TICKET_ID_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    by: str
    choice: str
    choices: _containers.RepeatedScalarFieldContainer[str]
    due: int
    form: _containers.MessageMap[str, Json]
    key: str
    patch_id: str
    reason: str
    role: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    run_id: str
    shown: Json
    state: str
    subject: str
    tag: str
    text: str
    ticket_id: str
    values: Json
    visit: str
    workflow: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, agent: _Optional[str] = ..., by: _Optional[str] = ..., choice: _Optional[str] = ..., choices: _Optional[_Iterable[str]] = ..., due: _Optional[int] = ..., form: _Optional[_Mapping[str, Json]] = ..., key: _Optional[str] = ..., patch_id: _Optional[str] = ..., reason: _Optional[str] = ..., role: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., run_id: _Optional[str] = ..., shown: _Optional[_Union[Json, _Mapping]] = ..., state: _Optional[str] = ..., subject: _Optional[str] = ..., tag: _Optional[str] = ..., text: _Optional[str] = ..., ticket_id: _Optional[str] = ..., values: _Optional[_Union[Json, _Mapping]] = ..., visit: _Optional[str] = ..., workflow: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowTicketRequest(_message.Message):
    __slots__ = ("ticket_id",)
    TICKET_ID_FIELD_NUMBER: _ClassVar[int]
    ticket_id: str
    def __init__(self, ticket_id: _Optional[str] = ...) -> None: ...

class AnswerTicketRequest(_message.Message):
    __slots__ = ("ticket_id", "choice", "reason", "values")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    TICKET_ID_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    ticket_id: str
    choice: str
    reason: str
    values: _containers.MessageMap[str, Json]
    def __init__(self, ticket_id: _Optional[str] = ..., choice: _Optional[str] = ..., reason: _Optional[str] = ..., values: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class Answered(_message.Message):
    __slots__ = ("choice", "run_id", "status", "ticket_id", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TICKET_ID_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    choice: str
    run_id: str
    status: str
    ticket_id: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, choice: _Optional[str] = ..., run_id: _Optional[str] = ..., status: _Optional[str] = ..., ticket_id: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class GetItemsRequest(_message.Message):
    __slots__ = ("cursor",)
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    def __init__(self, cursor: _Optional[str] = ...) -> None: ...

class ItemsPage(_message.Message):
    __slots__ = ("items", "next", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Json]
    next: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, items: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., next: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class GetBlobRequest(_message.Message):
    __slots__ = ("hash",)
    HASH_FIELD_NUMBER: _ClassVar[int]
    hash: str
    def __init__(self, hash: _Optional[str] = ...) -> None: ...

class GetJobBlobRequest(_message.Message):
    __slots__ = ("hash",)
    HASH_FIELD_NUMBER: _ClassVar[int]
    hash: str
    def __init__(self, hash: _Optional[str] = ...) -> None: ...

class PutJobBlobRequest(_message.Message):
    __slots__ = ("hash", "body", "media")
    HASH_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    hash: str
    body: bytes
    media: str
    def __init__(self, hash: _Optional[str] = ..., body: _Optional[bytes] = ..., media: _Optional[str] = ...) -> None: ...

class StoredBlob(_message.Message):
    __slots__ = ("hash", "size", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    HASH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    hash: str
    size: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, hash: _Optional[str] = ..., size: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListKeysRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class KeyList(_message.Message):
    __slots__ = ("keys", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    KEYS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[KeyRow]
    more: _containers.MessageMap[str, Json]
    def __init__(self, keys: _Optional[_Iterable[_Union[KeyRow, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class KeyRow(_message.Message):
    __slots__ = ("active", "at", "by", "id", "name", "note", "roles", "tenant", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    active: bool
    at: int
    by: str
    id: str
    name: str
    note: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    tenant: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, active: _Optional[bool] = ..., at: _Optional[int] = ..., by: _Optional[str] = ..., id: _Optional[str] = ..., name: _Optional[str] = ..., note: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., tenant: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class CreateKeyRequest(_message.Message):
    __slots__ = ("name", "roles", "tenant")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    name: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    tenant: str
    def __init__(self, name: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., tenant: _Optional[str] = ...) -> None: ...

class KeyCreated(_message.Message):
    __slots__ = ("id", "secret", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    id: str
    secret: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, id: _Optional[str] = ..., secret: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class RevokeKeyRequest(_message.Message):
    __slots__ = ("key_id",)
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    def __init__(self, key_id: _Optional[str] = ...) -> None: ...

class ListShardsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Shards(_message.Message):
    __slots__ = ("moving", "partitions", "shards", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    MOVING_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    moving: bool
    partitions: int
    shards: _containers.RepeatedCompositeFieldContainer[ShardRow]
    more: _containers.MessageMap[str, Json]
    def __init__(self, moving: _Optional[bool] = ..., partitions: _Optional[int] = ..., shards: _Optional[_Iterable[_Union[ShardRow, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShardRow(_message.Message):
    __slots__ = ("epochs", "file", "partitions", "rows", "shard", "more")
    class EpochsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    epochs: _containers.ScalarMap[str, int]
    file: str
    partitions: int
    rows: int
    shard: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, epochs: _Optional[_Mapping[str, int]] = ..., file: _Optional[str] = ..., partitions: _Optional[int] = ..., rows: _Optional[int] = ..., shard: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SetShardsRequest(_message.Message):
    __slots__ = ("shards",)
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    shards: int
    def __init__(self, shards: _Optional[int] = ...) -> None: ...

class ShardsStep(_message.Message):
    __slots__ = ("left", "moved", "moving", "partitions", "shards", "stayed", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    LEFT_FIELD_NUMBER: _ClassVar[int]
    MOVED_FIELD_NUMBER: _ClassVar[int]
    MOVING_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    STAYED_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    left: int
    moved: _containers.RepeatedCompositeFieldContainer[PartitionMove]
    moving: bool
    partitions: int
    shards: _containers.RepeatedCompositeFieldContainer[ShardRow]
    stayed: _containers.RepeatedCompositeFieldContainer[PartitionStay]
    more: _containers.MessageMap[str, Json]
    def __init__(self, left: _Optional[int] = ..., moved: _Optional[_Iterable[_Union[PartitionMove, _Mapping]]] = ..., moving: _Optional[bool] = ..., partitions: _Optional[int] = ..., shards: _Optional[_Iterable[_Union[ShardRow, _Mapping]]] = ..., stayed: _Optional[_Iterable[_Union[PartitionStay, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class PartitionMove(_message.Message):
    __slots__ = ("partition", "runs", "source", "target", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    partition: int
    runs: int
    source: int
    target: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, partition: _Optional[int] = ..., runs: _Optional[int] = ..., source: _Optional[int] = ..., target: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class PartitionStay(_message.Message):
    __slots__ = ("code", "partition", "why", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    code: str
    partition: int
    why: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, code: _Optional[str] = ..., partition: _Optional[int] = ..., why: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HomeStatus(_message.Message):
    __slots__ = ("at", "clock", "counts", "days", "edges_s", "fronts", "home", "log", "members", "processes", "queues", "release", "rules", "settings", "shards", "stages", "stores", "troubles", "workers", "more")
    class CountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class StagesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: StageStatus
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[StageStatus, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    EDGES_S_FIELD_NUMBER: _ClassVar[int]
    FRONTS_FIELD_NUMBER: _ClassVar[int]
    HOME_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    STORES_FIELD_NUMBER: _ClassVar[int]
    TROUBLES_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    clock: ClockStatus
    counts: _containers.ScalarMap[str, int]
    days: _containers.RepeatedCompositeFieldContainer[DaysStatus]
    edges_s: _containers.RepeatedScalarFieldContainer[float]
    fronts: _containers.RepeatedCompositeFieldContainer[FrontStatus]
    home: str
    log: LogStatus
    members: _containers.RepeatedCompositeFieldContainer[MemberStatus]
    processes: _containers.RepeatedCompositeFieldContainer[ProcessStatus]
    queues: _containers.RepeatedCompositeFieldContainer[QueueStatus]
    release: str
    rules: int
    settings: SettingsStatus
    shards: _containers.RepeatedCompositeFieldContainer[ShardStatus]
    stages: _containers.MessageMap[str, StageStatus]
    stores: _containers.RepeatedCompositeFieldContainer[StoreStatus]
    troubles: _containers.RepeatedCompositeFieldContainer[Trouble]
    workers: _containers.RepeatedCompositeFieldContainer[AttachedWorker]
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., clock: _Optional[_Union[ClockStatus, _Mapping]] = ..., counts: _Optional[_Mapping[str, int]] = ..., days: _Optional[_Iterable[_Union[DaysStatus, _Mapping]]] = ..., edges_s: _Optional[_Iterable[float]] = ..., fronts: _Optional[_Iterable[_Union[FrontStatus, _Mapping]]] = ..., home: _Optional[str] = ..., log: _Optional[_Union[LogStatus, _Mapping]] = ..., members: _Optional[_Iterable[_Union[MemberStatus, _Mapping]]] = ..., processes: _Optional[_Iterable[_Union[ProcessStatus, _Mapping]]] = ..., queues: _Optional[_Iterable[_Union[QueueStatus, _Mapping]]] = ..., release: _Optional[str] = ..., rules: _Optional[int] = ..., settings: _Optional[_Union[SettingsStatus, _Mapping]] = ..., shards: _Optional[_Iterable[_Union[ShardStatus, _Mapping]]] = ..., stages: _Optional[_Mapping[str, StageStatus]] = ..., stores: _Optional[_Iterable[_Union[StoreStatus, _Mapping]]] = ..., troubles: _Optional[_Iterable[_Union[Trouble, _Mapping]]] = ..., workers: _Optional[_Iterable[_Union[AttachedWorker, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ClockStatus(_message.Message):
    __slots__ = ("behind_ms", "skew_ms", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BEHIND_MS_FIELD_NUMBER: _ClassVar[int]
    SKEW_MS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    behind_ms: int
    skew_ms: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, behind_ms: _Optional[int] = ..., skew_ms: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class DaysStatus(_message.Message):
    __slots__ = ("ahead", "missed", "table", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AHEAD_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    ahead: int
    missed: bool
    table: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, ahead: _Optional[int] = ..., missed: _Optional[bool] = ..., table: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class FrontStatus(_message.Message):
    __slots__ = ("links", "name", "process", "release", "roles", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    LINKS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    links: int
    name: str
    process: str
    release: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    more: _containers.MessageMap[str, Json]
    def __init__(self, links: _Optional[int] = ..., name: _Optional[str] = ..., process: _Optional[str] = ..., release: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class LogStatus(_message.Message):
    __slots__ = ("detail", "followers", "partitions", "rows", "status", "waiting_bytes", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    FOLLOWERS_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    WAITING_BYTES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    detail: str
    followers: _containers.RepeatedCompositeFieldContainer[FollowerStatus]
    partitions: int
    rows: int
    status: str
    waiting_bytes: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, detail: _Optional[str] = ..., followers: _Optional[_Iterable[_Union[FollowerStatus, _Mapping]]] = ..., partitions: _Optional[int] = ..., rows: _Optional[int] = ..., status: _Optional[str] = ..., waiting_bytes: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class FollowerStatus(_message.Message):
    __slots__ = ("behind", "name", "of", "waits_for", "more")
    class WaitsForEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    behind: int
    name: str
    of: str
    waits_for: _containers.ScalarMap[str, int]
    more: _containers.MessageMap[str, Json]
    def __init__(self, behind: _Optional[int] = ..., name: _Optional[str] = ..., of: _Optional[str] = ..., waits_for: _Optional[_Mapping[str, int]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class MemberStatus(_message.Message):
    __slots__ = ("address", "grpc", "id", "lease_left_ms", "leaving", "release", "roles", "rules", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    GRPC_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_LEFT_MS_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    address: str
    grpc: str
    id: str
    lease_left_ms: int
    leaving: bool
    release: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    rules: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, address: _Optional[str] = ..., grpc: _Optional[str] = ..., id: _Optional[str] = ..., lease_left_ms: _Optional[int] = ..., leaving: _Optional[bool] = ..., release: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., rules: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ProcessStatus(_message.Message):
    __slots__ = ("cpu_s", "host", "memory_bytes", "pid", "shards", "up_s", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CPU_S_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    UP_S_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    cpu_s: float
    host: str
    memory_bytes: int
    pid: int
    shards: _containers.RepeatedScalarFieldContainer[int]
    up_s: float
    more: _containers.MessageMap[str, Json]
    def __init__(self, cpu_s: _Optional[float] = ..., host: _Optional[str] = ..., memory_bytes: _Optional[int] = ..., pid: _Optional[int] = ..., shards: _Optional[_Iterable[int]] = ..., up_s: _Optional[float] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class QueueStatus(_message.Message):
    __slots__ = ("build", "handler", "labels", "oldest_s", "waiting", "more")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BUILD_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    OLDEST_S_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    build: str
    handler: str
    labels: _containers.ScalarMap[str, str]
    oldest_s: float
    waiting: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, build: _Optional[str] = ..., handler: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., oldest_s: _Optional[float] = ..., waiting: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SettingsStatus(_message.Message):
    __slots__ = ("detail", "status", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    detail: str
    status: str
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, detail: _Optional[str] = ..., status: _Optional[str] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShardStatus(_message.Message):
    __slots__ = ("address", "commits", "detail", "epoch", "events", "jobs_running", "jobs_waiting", "lease_left_ms", "owner", "partitions", "row", "shard", "status", "streams", "term", "timers", "uncounted", "undelivered", "waiting", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    COMMITS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    JOBS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    JOBS_WAITING_FIELD_NUMBER: _ClassVar[int]
    LEASE_LEFT_MS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    TIMERS_FIELD_NUMBER: _ClassVar[int]
    UNCOUNTED_FIELD_NUMBER: _ClassVar[int]
    UNDELIVERED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    address: str
    commits: int
    detail: str
    epoch: int
    events: int
    jobs_running: int
    jobs_waiting: int
    lease_left_ms: int
    owner: str
    partitions: int
    row: int
    shard: int
    status: str
    streams: int
    term: int
    timers: int
    uncounted: int
    undelivered: int
    waiting: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, address: _Optional[str] = ..., commits: _Optional[int] = ..., detail: _Optional[str] = ..., epoch: _Optional[int] = ..., events: _Optional[int] = ..., jobs_running: _Optional[int] = ..., jobs_waiting: _Optional[int] = ..., lease_left_ms: _Optional[int] = ..., owner: _Optional[str] = ..., partitions: _Optional[int] = ..., row: _Optional[int] = ..., shard: _Optional[int] = ..., status: _Optional[str] = ..., streams: _Optional[int] = ..., term: _Optional[int] = ..., timers: _Optional[int] = ..., uncounted: _Optional[int] = ..., undelivered: _Optional[int] = ..., waiting: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class StageStatus(_message.Message):
    __slots__ = ("buckets", "count", "errors", "seconds", "units", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    buckets: _containers.RepeatedScalarFieldContainer[int]
    count: int
    errors: int
    seconds: float
    units: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, buckets: _Optional[_Iterable[int]] = ..., count: _Optional[int] = ..., errors: _Optional[int] = ..., seconds: _Optional[float] = ..., units: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class StoreStatus(_message.Message):
    __slots__ = ("address", "bytes", "detail", "kind", "latency_ms", "name", "status", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    address: str
    bytes: int
    detail: str
    kind: str
    latency_ms: float
    name: str
    status: str
    version: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, address: _Optional[str] = ..., bytes: _Optional[int] = ..., detail: _Optional[str] = ..., kind: _Optional[str] = ..., latency_ms: _Optional[float] = ..., name: _Optional[str] = ..., status: _Optional[str] = ..., version: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class Trouble(_message.Message):
    __slots__ = ("detail", "hint", "how", "what", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    detail: str
    hint: str
    how: str
    what: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, detail: _Optional[str] = ..., hint: _Optional[str] = ..., how: _Optional[str] = ..., what: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class AttachedWorker(_message.Message):
    __slots__ = ("build", "done", "handlers", "jobs", "labels", "name", "slots", "state", "tenant", "more")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BUILD_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    build: str
    done: int
    handlers: _containers.RepeatedScalarFieldContainer[str]
    jobs: int
    labels: _containers.ScalarMap[str, str]
    name: str
    slots: int
    state: str
    tenant: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, build: _Optional[str] = ..., done: _Optional[int] = ..., handlers: _Optional[_Iterable[str]] = ..., jobs: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., name: _Optional[str] = ..., slots: _Optional[int] = ..., state: _Optional[str] = ..., tenant: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListWorkersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WorkerList(_message.Message):
    __slots__ = ("workers", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[WorkerView]
    more: _containers.MessageMap[str, Json]
    def __init__(self, workers: _Optional[_Iterable[_Union[WorkerView, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class WorkerView(_message.Message):
    __slots__ = ("attached_s", "build", "done", "handlers", "key", "labels", "running", "slots", "state", "worker", "more")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ATTACHED_S_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    attached_s: float
    build: str
    done: int
    handlers: _containers.RepeatedScalarFieldContainer[str]
    key: str
    labels: _containers.ScalarMap[str, str]
    running: int
    slots: int
    state: str
    worker: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, attached_s: _Optional[float] = ..., build: _Optional[str] = ..., done: _Optional[int] = ..., handlers: _Optional[_Iterable[str]] = ..., key: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., running: _Optional[int] = ..., slots: _Optional[int] = ..., state: _Optional[str] = ..., worker: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListBuildsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BuildList(_message.Message):
    __slots__ = ("builds", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BUILDS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    builds: _containers.RepeatedCompositeFieldContainer[BuildView]
    more: _containers.MessageMap[str, Json]
    def __init__(self, builds: _Optional[_Iterable[_Union[BuildView, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class BuildView(_message.Message):
    __slots__ = ("build", "handlers", "runs", "workers", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BUILD_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    build: str
    handlers: _containers.RepeatedScalarFieldContainer[str]
    runs: int
    workers: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, build: _Optional[str] = ..., handlers: _Optional[_Iterable[str]] = ..., runs: _Optional[int] = ..., workers: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListHandlersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HandlerList(_message.Message):
    __slots__ = ("changes", "handlers", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[HandlerChange]
    handlers: _containers.RepeatedCompositeFieldContainer[HandlerRow]
    more: _containers.MessageMap[str, Json]
    def __init__(self, changes: _Optional[_Iterable[_Union[HandlerChange, _Mapping]]] = ..., handlers: _Optional[_Iterable[_Union[HandlerRow, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class HandlerChange(_message.Message):
    __slots__ = ("at", "by", "handler", "paused", "reason", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    by: str
    handler: str
    paused: bool
    reason: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., by: _Optional[str] = ..., handler: _Optional[str] = ..., paused: _Optional[bool] = ..., reason: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class HandlerRow(_message.Message):
    __slots__ = ("by", "effect", "handler", "here", "paused", "reason", "since", "version", "workers", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BY_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    HERE_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    by: str
    effect: str
    handler: str
    here: bool
    paused: bool
    reason: str
    since: int
    version: str
    workers: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, by: _Optional[str] = ..., effect: _Optional[str] = ..., handler: _Optional[str] = ..., here: _Optional[bool] = ..., paused: _Optional[bool] = ..., reason: _Optional[str] = ..., since: _Optional[int] = ..., version: _Optional[str] = ..., workers: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class PauseHandlerRequest(_message.Message):
    __slots__ = ("handler", "reason")
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    handler: str
    reason: str
    def __init__(self, handler: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class HandlerPaused(_message.Message):
    __slots__ = ("changed", "handler", "paused", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    changed: bool
    handler: str
    paused: bool
    more: _containers.MessageMap[str, Json]
    def __init__(self, changed: _Optional[bool] = ..., handler: _Optional[str] = ..., paused: _Optional[bool] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ResumeHandlerRequest(_message.Message):
    __slots__ = ("handler", "reason")
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    handler: str
    reason: str
    def __init__(self, handler: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ShowSettingsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SharedSettings(_message.Message):
    __slots__ = ("at", "by", "history", "settings", "version", "more")
    class SettingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    by: str
    history: _containers.RepeatedCompositeFieldContainer[SettingsPush]
    settings: _containers.MessageMap[str, Json]
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., by: _Optional[str] = ..., history: _Optional[_Iterable[_Union[SettingsPush, _Mapping]]] = ..., settings: _Optional[_Mapping[str, Json]] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SettingsPush(_message.Message):
    __slots__ = ("at", "by", "changes", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    by: str
    changes: _containers.RepeatedCompositeFieldContainer[SettingChange]
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., by: _Optional[str] = ..., changes: _Optional[_Iterable[_Union[SettingChange, _Mapping]]] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SettingChange(_message.Message):
    __slots__ = ("after", "before", "key", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    after: Json
    before: Json
    key: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, after: _Optional[_Union[Json, _Mapping]] = ..., before: _Optional[_Union[Json, _Mapping]] = ..., key: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class PushSettingsRequest(_message.Message):
    __slots__ = ("dry_run", "after", "body", "media")
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    dry_run: bool
    after: int
    body: bytes
    media: str
    def __init__(self, dry_run: _Optional[bool] = ..., after: _Optional[int] = ..., body: _Optional[bytes] = ..., media: _Optional[str] = ...) -> None: ...

class SettingsPushed(_message.Message):
    __slots__ = ("changes", "dry_run", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[SettingChange]
    dry_run: bool
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, changes: _Optional[_Iterable[_Union[SettingChange, _Mapping]]] = ..., dry_run: _Optional[bool] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class IngestEventsRequest(_message.Message):
    __slots__ = ("body", "media")
    BODY_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    media: str
    def __init__(self, body: _Optional[bytes] = ..., media: _Optional[str] = ...) -> None: ...

class Ingested(_message.Message):
    __slots__ = ("accepted", "duplicate", "position", "received", "rejected", "verdicts", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    accepted: int
    duplicate: int
    position: str
    received: int
    rejected: int
    verdicts: _containers.RepeatedCompositeFieldContainer[EventVerdict]
    more: _containers.MessageMap[str, Json]
    def __init__(self, accepted: _Optional[int] = ..., duplicate: _Optional[int] = ..., position: _Optional[str] = ..., received: _Optional[int] = ..., rejected: _Optional[int] = ..., verdicts: _Optional[_Iterable[_Union[EventVerdict, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class EventVerdict(_message.Message):
    __slots__ = ("deadletter", "dedup", "reasons", "verdict", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DEADLETTER_FIELD_NUMBER: _ClassVar[int]
    DEDUP_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    deadletter: int
    dedup: str
    reasons: _containers.RepeatedCompositeFieldContainer[Json]
    verdict: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, deadletter: _Optional[int] = ..., dedup: _Optional[str] = ..., reasons: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., verdict: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListDeadlettersRequest(_message.Message):
    __slots__ = ("state", "type", "reason", "before", "limit")
    STATE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    state: str
    type: str
    reason: str
    before: int
    limit: int
    def __init__(self, state: _Optional[str] = ..., type: _Optional[str] = ..., reason: _Optional[str] = ..., before: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class DeadLetterPage(_message.Message):
    __slots__ = ("as_of", "deadletters", "next", "read", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    DEADLETTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    as_of: str
    deadletters: _containers.RepeatedCompositeFieldContainer[DeadLetterRow]
    next: int
    read: ReadFrom
    more: _containers.MessageMap[str, Json]
    def __init__(self, as_of: _Optional[str] = ..., deadletters: _Optional[_Iterable[_Union[DeadLetterRow, _Mapping]]] = ..., next: _Optional[int] = ..., read: _Optional[_Union[ReadFrom, _Mapping]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class DeadLetterRow(_message.Message):
    __slots__ = ("at", "event", "id", "line", "note", "number", "reasons", "source", "state", "type", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    event: Json
    id: str
    line: str
    note: str
    number: int
    reasons: _containers.RepeatedCompositeFieldContainer[Json]
    source: str
    state: str
    type: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., event: _Optional[_Union[Json, _Mapping]] = ..., id: _Optional[str] = ..., line: _Optional[str] = ..., note: _Optional[str] = ..., number: _Optional[int] = ..., reasons: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., source: _Optional[str] = ..., state: _Optional[str] = ..., type: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class GroupDeadlettersRequest(_message.Message):
    __slots__ = ("state", "sample")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    state: str
    sample: bool
    def __init__(self, state: _Optional[str] = ..., sample: _Optional[bool] = ...) -> None: ...

class DeadLetterGroups(_message.Message):
    __slots__ = ("groups", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[DeadLetterGroup]
    more: _containers.MessageMap[str, Json]
    def __init__(self, groups: _Optional[_Iterable[_Union[DeadLetterGroup, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class DeadLetterGroup(_message.Message):
    __slots__ = ("count", "reason", "sample", "type", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    COUNT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    count: int
    reason: str
    sample: DeadLetterRow
    type: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, count: _Optional[int] = ..., reason: _Optional[str] = ..., sample: _Optional[_Union[DeadLetterRow, _Mapping]] = ..., type: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowDeadletterRequest(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: str
    def __init__(self, number: _Optional[str] = ...) -> None: ...

class ReplayDeadletterRequest(_message.Message):
    __slots__ = ("number", "event", "dry_run")
    class EventEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    number: str
    event: _containers.MessageMap[str, Json]
    dry_run: bool
    def __init__(self, number: _Optional[str] = ..., event: _Optional[_Mapping[str, Json]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class Replayed(_message.Message):
    __slots__ = ("accepted", "dry_run", "duplicate", "matched", "position", "rejected", "verdicts", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    accepted: int
    dry_run: bool
    duplicate: int
    matched: int
    position: str
    rejected: int
    verdicts: _containers.RepeatedCompositeFieldContainer[Json]
    more: _containers.MessageMap[str, Json]
    def __init__(self, accepted: _Optional[int] = ..., dry_run: _Optional[bool] = ..., duplicate: _Optional[int] = ..., matched: _Optional[int] = ..., position: _Optional[str] = ..., rejected: _Optional[int] = ..., verdicts: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ReplayDeadlettersRequest(_message.Message):
    __slots__ = ("numbers", "type", "reason", "dry_run")
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    numbers: _containers.RepeatedScalarFieldContainer[int]
    type: str
    reason: str
    dry_run: bool
    def __init__(self, numbers: _Optional[_Iterable[int]] = ..., type: _Optional[str] = ..., reason: _Optional[str] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class DiscardDeadlettersRequest(_message.Message):
    __slots__ = ("numbers", "note")
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    numbers: _containers.RepeatedScalarFieldContainer[int]
    note: str
    def __init__(self, numbers: _Optional[_Iterable[int]] = ..., note: _Optional[str] = ...) -> None: ...

class Discarded(_message.Message):
    __slots__ = ("discarded", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DISCARDED_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    discarded: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, discarded: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListMetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MetricList(_message.Message):
    __slots__ = ("metrics", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    METRICS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedCompositeFieldContainer[MetricInfo]
    more: _containers.MessageMap[str, Json]
    def __init__(self, metrics: _Optional[_Iterable[_Union[MetricInfo, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class MetricInfo(_message.Message):
    __slots__ = ("description", "dimensions", "moved_by", "name", "owner", "state", "type", "unit", "unmoved", "version", "versions", "windows", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    MOVED_BY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    UNMOVED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    description: str
    dimensions: _containers.RepeatedScalarFieldContainer[str]
    moved_by: _containers.RepeatedScalarFieldContainer[str]
    name: str
    owner: str
    state: str
    type: str
    unit: str
    unmoved: int
    version: int
    versions: _containers.RepeatedScalarFieldContainer[int]
    windows: _containers.RepeatedCompositeFieldContainer[Json]
    more: _containers.MessageMap[str, Json]
    def __init__(self, description: _Optional[str] = ..., dimensions: _Optional[_Iterable[str]] = ..., moved_by: _Optional[_Iterable[str]] = ..., name: _Optional[str] = ..., owner: _Optional[str] = ..., state: _Optional[str] = ..., type: _Optional[str] = ..., unit: _Optional[str] = ..., unmoved: _Optional[int] = ..., version: _Optional[int] = ..., versions: _Optional[_Iterable[int]] = ..., windows: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ReadMetricRequest(_message.Message):
    __slots__ = ("metric", "window", "since", "until", "step", "by", "where", "as_of", "known_at", "min_position", "compare", "version", "limit")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    COMPARE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    metric: str
    window: str
    since: str
    until: str
    step: str
    by: _containers.RepeatedScalarFieldContainer[str]
    where: _containers.RepeatedScalarFieldContainer[str]
    as_of: str
    known_at: str
    min_position: str
    compare: str
    version: int
    limit: int
    def __init__(self, metric: _Optional[str] = ..., window: _Optional[str] = ..., since: _Optional[str] = ..., until: _Optional[str] = ..., step: _Optional[str] = ..., by: _Optional[_Iterable[str]] = ..., where: _Optional[_Iterable[str]] = ..., as_of: _Optional[str] = ..., known_at: _Optional[str] = ..., min_position: _Optional[str] = ..., compare: _Optional[str] = ..., version: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class MetricAnswer(_message.Message):
    __slots__ = ("cached", "complete", "contract", "error", "exact", "filling", "freshness_ms", "metric", "missed", "overflow", "overflowed", "path", "position", "previous", "restated", "restating", "rows", "truncated", "type", "unit", "unmoved", "valid_until", "value", "version", "watermark", "window", "more")
    class PreviousEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CACHED_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    FILLING_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_MS_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_FIELD_NUMBER: _ClassVar[int]
    OVERFLOWED_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    RESTATED_FIELD_NUMBER: _ClassVar[int]
    RESTATING_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    UNMOVED_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    cached: bool
    complete: bool
    contract: str
    error: float
    exact: bool
    filling: float
    freshness_ms: int
    metric: str
    missed: int
    overflow: bool
    overflowed: _containers.RepeatedScalarFieldContainer[str]
    path: str
    position: str
    previous: _containers.MessageMap[str, Json]
    restated: bool
    restating: bool
    rows: _containers.RepeatedCompositeFieldContainer[MetricRow]
    truncated: bool
    type: str
    unit: str
    unmoved: int
    valid_until: int
    value: Json
    version: int
    watermark: int
    window: WindowOf
    more: _containers.MessageMap[str, Json]
    def __init__(self, cached: _Optional[bool] = ..., complete: _Optional[bool] = ..., contract: _Optional[str] = ..., error: _Optional[float] = ..., exact: _Optional[bool] = ..., filling: _Optional[float] = ..., freshness_ms: _Optional[int] = ..., metric: _Optional[str] = ..., missed: _Optional[int] = ..., overflow: _Optional[bool] = ..., overflowed: _Optional[_Iterable[str]] = ..., path: _Optional[str] = ..., position: _Optional[str] = ..., previous: _Optional[_Mapping[str, Json]] = ..., restated: _Optional[bool] = ..., restating: _Optional[bool] = ..., rows: _Optional[_Iterable[_Union[MetricRow, _Mapping]]] = ..., truncated: _Optional[bool] = ..., type: _Optional[str] = ..., unit: _Optional[str] = ..., unmoved: _Optional[int] = ..., valid_until: _Optional[int] = ..., value: _Optional[_Union[Json, _Mapping]] = ..., version: _Optional[int] = ..., watermark: _Optional[int] = ..., window: _Optional[_Union[WindowOf, _Mapping]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class MetricRow(_message.Message):
    __slots__ = ("at", "by", "complete", "other", "overflow", "restated", "value", "more")
    class ByEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_FIELD_NUMBER: _ClassVar[int]
    RESTATED_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    by: _containers.ScalarMap[str, str]
    complete: bool
    other: _containers.RepeatedScalarFieldContainer[str]
    overflow: bool
    restated: bool
    value: Json
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., by: _Optional[_Mapping[str, str]] = ..., complete: _Optional[bool] = ..., other: _Optional[_Iterable[str]] = ..., overflow: _Optional[bool] = ..., restated: _Optional[bool] = ..., value: _Optional[_Union[Json, _Mapping]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class WindowOf(_message.Message):
    __slots__ = ("kind", "name", "since", "until", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    since: int
    until: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., since: _Optional[int] = ..., until: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListEntityTypesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EntityTypes(_message.Message):
    __slots__ = ("types", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    TYPES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    types: _containers.RepeatedCompositeFieldContainer[EntityType]
    more: _containers.MessageMap[str, Json]
    def __init__(self, types: _Optional[_Iterable[_Union[EntityType, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class EntityType(_message.Message):
    __slots__ = ("attributes", "name", "said_by", "view", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SAID_BY_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    attributes: _containers.RepeatedCompositeFieldContainer[Json]
    name: str
    said_by: _containers.RepeatedScalarFieldContainer[str]
    view: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, attributes: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., name: _Optional[str] = ..., said_by: _Optional[_Iterable[str]] = ..., view: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListEntitiesRequest(_message.Message):
    __slots__ = ("type", "after", "limit", "min_position")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    type: str
    after: str
    limit: int
    min_position: str
    def __init__(self, type: _Optional[str] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ..., min_position: _Optional[str] = ...) -> None: ...

class EntityIds(_message.Message):
    __slots__ = ("ids", "next", "position", "type", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    IDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    next: str
    position: str
    type: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., next: _Optional[str] = ..., position: _Optional[str] = ..., type: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ReadEntityRequest(_message.Message):
    __slots__ = ("type", "id", "as_of", "history", "min_position")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    type: str
    id: str
    as_of: str
    history: int
    min_position: str
    def __init__(self, type: _Optional[str] = ..., id: _Optional[str] = ..., as_of: _Optional[str] = ..., history: _Optional[int] = ..., min_position: _Optional[str] = ...) -> None: ...

class EntityView(_message.Message):
    __slots__ = ("as_of", "changed_at", "exists", "history", "id", "position", "state", "type", "more")
    class StateEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    as_of: int
    changed_at: int
    exists: bool
    history: _containers.RepeatedCompositeFieldContainer[Json]
    id: str
    position: str
    state: _containers.MessageMap[str, Json]
    type: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, as_of: _Optional[int] = ..., changed_at: _Optional[int] = ..., exists: _Optional[bool] = ..., history: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., id: _Optional[str] = ..., position: _Optional[str] = ..., state: _Optional[_Mapping[str, Json]] = ..., type: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ReadChangelogRequest(_message.Message):
    __slots__ = ("metric", "to", "where", "window", "limit")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    metric: str
    to: str
    where: _containers.RepeatedScalarFieldContainer[str]
    window: str
    limit: int
    def __init__(self, metric: _Optional[str] = ..., to: _Optional[str] = ..., where: _Optional[_Iterable[str]] = ..., window: _Optional[str] = ..., limit: _Optional[int] = ..., **kwargs) -> None: ...

class Changelog(_message.Message):
    __slots__ = ("after", "before", "change", "changes", "metric", "moved_by", "parts", "since", "truncated", "until", "window", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    MOVED_BY_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    after: Json
    before: Json
    change: Json
    changes: _containers.RepeatedCompositeFieldContainer[ChangeRow]
    metric: str
    moved_by: _containers.RepeatedCompositeFieldContainer[Json]
    parts: _containers.RepeatedCompositeFieldContainer[Json]
    since: int
    truncated: bool
    until: int
    window: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, after: _Optional[_Union[Json, _Mapping]] = ..., before: _Optional[_Union[Json, _Mapping]] = ..., change: _Optional[_Union[Json, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[ChangeRow, _Mapping]]] = ..., metric: _Optional[str] = ..., moved_by: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., parts: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., since: _Optional[int] = ..., truncated: _Optional[bool] = ..., until: _Optional[int] = ..., window: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ChangeRow(_message.Message):
    __slots__ = ("at", "change", "detail", "event", "kind", "position", "more")
    class EventEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    change: Json
    detail: str
    event: _containers.MessageMap[str, Json]
    kind: str
    position: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., change: _Optional[_Union[Json, _Mapping]] = ..., detail: _Optional[str] = ..., event: _Optional[_Mapping[str, Json]] = ..., kind: _Optional[str] = ..., position: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ReadBatchRequest(_message.Message):
    __slots__ = ("reads",)
    READS_FIELD_NUMBER: _ClassVar[int]
    reads: _containers.RepeatedCompositeFieldContainer[Json]
    def __init__(self, reads: _Optional[_Iterable[_Union[Json, _Mapping]]] = ...) -> None: ...

class BatchAnswer(_message.Message):
    __slots__ = ("answers", "position", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[Json]
    position: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, answers: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., position: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListContractsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ContractList(_message.Message):
    __slots__ = ("contracts", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CONTRACTS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    contracts: _containers.RepeatedCompositeFieldContainer[Json]
    more: _containers.MessageMap[str, Json]
    def __init__(self, contracts: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class PushContractsRequest(_message.Message):
    __slots__ = ("dry_run", "allow_breaking", "files")
    class FilesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    ALLOW_BREAKING_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    dry_run: bool
    allow_breaking: bool
    files: _containers.ScalarMap[str, str]
    def __init__(self, dry_run: _Optional[bool] = ..., allow_breaking: _Optional[bool] = ..., files: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ContractsPushed(_message.Message):
    __slots__ = ("filling", "new", "position", "revision", "same", "unversioned", "warnings", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    FILLING_FIELD_NUMBER: _ClassVar[int]
    NEW_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SAME_FIELD_NUMBER: _ClassVar[int]
    UNVERSIONED_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    filling: _containers.RepeatedScalarFieldContainer[str]
    new: _containers.RepeatedScalarFieldContainer[str]
    position: str
    revision: int
    same: _containers.RepeatedScalarFieldContainer[str]
    unversioned: _containers.RepeatedCompositeFieldContainer[Unversioned]
    warnings: _containers.RepeatedCompositeFieldContainer[Json]
    more: _containers.MessageMap[str, Json]
    def __init__(self, filling: _Optional[_Iterable[str]] = ..., new: _Optional[_Iterable[str]] = ..., position: _Optional[str] = ..., revision: _Optional[int] = ..., same: _Optional[_Iterable[str]] = ..., unversioned: _Optional[_Iterable[_Union[Unversioned, _Mapping]]] = ..., warnings: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class Unversioned(_message.Message):
    __slots__ = ("default", "newest", "per_minute", "type", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    default: int
    newest: int
    per_minute: float
    type: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, default: _Optional[int] = ..., newest: _Optional[int] = ..., per_minute: _Optional[float] = ..., type: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SetDefaultVersionRequest(_message.Message):
    __slots__ = ("contract", "version")
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    contract: str
    version: int
    def __init__(self, contract: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class DefaultVersion(_message.Message):
    __slots__ = ("default", "newest", "type", "was", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    WAS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    default: int
    newest: int
    type: str
    was: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, default: _Optional[int] = ..., newest: _Optional[int] = ..., type: _Optional[str] = ..., was: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class CheckContractsRequest(_message.Message):
    __slots__ = ("files",)
    class FilesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FILES_FIELD_NUMBER: _ClassVar[int]
    files: _containers.ScalarMap[str, str]
    def __init__(self, files: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ContractsChecked(_message.Message):
    __slots__ = ("new", "problems", "valid", "warnings", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    NEW_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    VALID_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    new: _containers.RepeatedScalarFieldContainer[str]
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    valid: bool
    warnings: _containers.RepeatedCompositeFieldContainer[Json]
    more: _containers.MessageMap[str, Json]
    def __init__(self, new: _Optional[_Iterable[str]] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., valid: _Optional[bool] = ..., warnings: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowContractRequest(_message.Message):
    __slots__ = ("kind", "contract", "version")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    kind: str
    contract: str
    version: int
    def __init__(self, kind: _Optional[str] = ..., contract: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ContractView(_message.Message):
    __slots__ = ("contract", "default", "kind", "name", "schema", "source", "version", "more")
    class ContractEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class SchemaEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    contract: _containers.MessageMap[str, Json]
    default: int
    kind: str
    name: str
    schema: _containers.MessageMap[str, Json]
    source: str
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, contract: _Optional[_Mapping[str, Json]] = ..., default: _Optional[int] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., schema: _Optional[_Mapping[str, Json]] = ..., source: _Optional[str] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class DiffContractRequest(_message.Message):
    __slots__ = ("kind", "contract", "a", "b")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    kind: str
    contract: str
    a: int
    b: int
    def __init__(self, kind: _Optional[str] = ..., contract: _Optional[str] = ..., a: _Optional[int] = ..., b: _Optional[int] = ...) -> None: ...

class ContractDiff(_message.Message):
    __slots__ = ("breaking", "changes", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BREAKING_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    breaking: bool
    changes: _containers.RepeatedCompositeFieldContainer[Json]
    more: _containers.MessageMap[str, Json]
    def __init__(self, breaking: _Optional[bool] = ..., changes: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("metrics", "dimensions", "entity", "fields", "where", "window", "since", "until", "step", "order", "limit", "sql", "parameters", "min_position")
    class WhereEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    METRICS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SQL_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedScalarFieldContainer[str]
    dimensions: _containers.RepeatedScalarFieldContainer[str]
    entity: str
    fields: _containers.RepeatedScalarFieldContainer[str]
    where: _containers.MessageMap[str, Json]
    window: str
    since: Json
    until: Json
    step: str
    order: _containers.RepeatedScalarFieldContainer[str]
    limit: int
    sql: str
    parameters: Json
    min_position: str
    def __init__(self, metrics: _Optional[_Iterable[str]] = ..., dimensions: _Optional[_Iterable[str]] = ..., entity: _Optional[str] = ..., fields: _Optional[_Iterable[str]] = ..., where: _Optional[_Mapping[str, Json]] = ..., window: _Optional[str] = ..., since: _Optional[_Union[Json, _Mapping]] = ..., until: _Optional[_Union[Json, _Mapping]] = ..., step: _Optional[str] = ..., order: _Optional[_Iterable[str]] = ..., limit: _Optional[int] = ..., sql: _Optional[str] = ..., parameters: _Optional[_Union[Json, _Mapping]] = ..., min_position: _Optional[str] = ...) -> None: ...

class QueryAnswer(_message.Message):
    __slots__ = ("columns", "position", "rows", "sql", "took_ms", "truncated", "types", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SQL_FIELD_NUMBER: _ClassVar[int]
    TOOK_MS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.RepeatedScalarFieldContainer[str]
    position: str
    rows: _containers.RepeatedCompositeFieldContainer[Json]
    sql: str
    took_ms: float
    truncated: bool
    types: _containers.RepeatedScalarFieldContainer[str]
    more: _containers.MessageMap[str, Json]
    def __init__(self, columns: _Optional[_Iterable[str]] = ..., position: _Optional[str] = ..., rows: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., sql: _Optional[str] = ..., took_ms: _Optional[float] = ..., truncated: _Optional[bool] = ..., types: _Optional[_Iterable[str]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowCatalogRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CatalogAnswer(_message.Message):
    __slots__ = ("alerts", "dimensions", "entities", "events", "metrics", "revision", "views", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    alerts: _containers.RepeatedCompositeFieldContainer[Json]
    dimensions: _containers.RepeatedCompositeFieldContainer[Json]
    entities: _containers.RepeatedCompositeFieldContainer[Json]
    events: _containers.RepeatedCompositeFieldContainer[Json]
    metrics: _containers.RepeatedCompositeFieldContainer[MetricInfo]
    revision: int
    views: _containers.RepeatedCompositeFieldContainer[Json]
    more: _containers.MessageMap[str, Json]
    def __init__(self, alerts: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., dimensions: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., entities: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., metrics: _Optional[_Iterable[_Union[MetricInfo, _Mapping]]] = ..., revision: _Optional[int] = ..., views: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SearchCatalogRequest(_message.Message):
    __slots__ = ("q", "kind", "limit")
    Q_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    q: str
    kind: str
    limit: int
    def __init__(self, q: _Optional[str] = ..., kind: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class SearchHits(_message.Message):
    __slots__ = ("hits", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    HITS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[SearchHit]
    more: _containers.MessageMap[str, Json]
    def __init__(self, hits: _Optional[_Iterable[_Union[SearchHit, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SearchHit(_message.Message):
    __slots__ = ("kind", "link", "name", "score", "snippet", "title", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SNIPPET_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    link: str
    name: str
    score: float
    snippet: str
    title: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, kind: _Optional[str] = ..., link: _Optional[str] = ..., name: _Optional[str] = ..., score: _Optional[float] = ..., snippet: _Optional[str] = ..., title: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowLineageRequest(_message.Message):
    __slots__ = ("metric", "event")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    metric: str
    event: str
    def __init__(self, metric: _Optional[str] = ..., event: _Optional[str] = ...) -> None: ...

class Lineage(_message.Message):
    __slots__ = ("edges", "nodes", "text", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    EDGES_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    edges: _containers.RepeatedCompositeFieldContainer[Json]
    nodes: _containers.RepeatedCompositeFieldContainer[Json]
    text: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, edges: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., nodes: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., text: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListAlertsRequest(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: str
    def __init__(self, state: _Optional[str] = ...) -> None: ...

class AlertList(_message.Message):
    __slots__ = ("alerts", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    alerts: _containers.RepeatedCompositeFieldContainer[AlertView]
    more: _containers.MessageMap[str, Json]
    def __init__(self, alerts: _Optional[_Iterable[_Union[AlertView, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class AlertView(_message.Message):
    __slots__ = ("by", "history", "metric", "name", "runs", "severity", "silenced_until", "since", "state", "value", "version", "when", "more")
    class ByEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BY_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    SILENCED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    by: _containers.ScalarMap[str, str]
    history: _containers.RepeatedCompositeFieldContainer[Json]
    metric: str
    name: str
    runs: _containers.RepeatedScalarFieldContainer[str]
    severity: str
    silenced_until: int
    since: int
    state: str
    value: Json
    version: int
    when: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, by: _Optional[_Mapping[str, str]] = ..., history: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., metric: _Optional[str] = ..., name: _Optional[str] = ..., runs: _Optional[_Iterable[str]] = ..., severity: _Optional[str] = ..., silenced_until: _Optional[int] = ..., since: _Optional[int] = ..., state: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ..., version: _Optional[int] = ..., when: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowAlertRequest(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: str
    def __init__(self, alert: _Optional[str] = ...) -> None: ...

class PutAlertRequest(_message.Message):
    __slots__ = ("alert", "body", "media")
    ALERT_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    alert: str
    body: bytes
    media: str
    def __init__(self, alert: _Optional[str] = ..., body: _Optional[bytes] = ..., media: _Optional[str] = ...) -> None: ...

class DeleteAlertRequest(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: str
    def __init__(self, alert: _Optional[str] = ...) -> None: ...

class SilenceAlertRequest(_message.Message):
    __slots__ = ("alert", "until", "reason")
    ALERT_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    FOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    alert: str
    until: Json
    reason: str
    def __init__(self, alert: _Optional[str] = ..., until: _Optional[_Union[Json, _Mapping]] = ..., reason: _Optional[str] = ..., **kwargs) -> None: ...

class ListSlosRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SloList(_message.Message):
    __slots__ = ("slos", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    SLOS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    slos: _containers.RepeatedCompositeFieldContainer[SloView]
    more: _containers.MessageMap[str, Json]
    def __init__(self, slos: _Optional[_Iterable[_Union[SloView, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SloView(_message.Message):
    __slots__ = ("budget_left", "burn", "good", "metric", "name", "objective", "ratio", "state", "target", "total", "window_ms", "more")
    class BurnEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BUDGET_LEFT_FIELD_NUMBER: _ClassVar[int]
    BURN_FIELD_NUMBER: _ClassVar[int]
    GOOD_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    WINDOW_MS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    budget_left: float
    burn: _containers.MessageMap[str, Json]
    good: int
    metric: str
    name: str
    objective: str
    ratio: float
    state: str
    target: float
    total: int
    window_ms: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, budget_left: _Optional[float] = ..., burn: _Optional[_Mapping[str, Json]] = ..., good: _Optional[int] = ..., metric: _Optional[str] = ..., name: _Optional[str] = ..., objective: _Optional[str] = ..., ratio: _Optional[float] = ..., state: _Optional[str] = ..., target: _Optional[float] = ..., total: _Optional[int] = ..., window_ms: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowSloRequest(_message.Message):
    __slots__ = ("slo",)
    SLO_FIELD_NUMBER: _ClassVar[int]
    slo: str
    def __init__(self, slo: _Optional[str] = ...) -> None: ...

class ListWebhooksRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WebhookList(_message.Message):
    __slots__ = ("webhooks", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    WEBHOOKS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    webhooks: _containers.RepeatedCompositeFieldContainer[WebhookView]
    more: _containers.MessageMap[str, Json]
    def __init__(self, webhooks: _Optional[_Iterable[_Union[WebhookView, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class WebhookView(_message.Message):
    __slots__ = ("alerts", "created_at", "delivered", "description", "events", "failed", "id", "metrics", "runs", "secret", "state", "url", "waiting", "waits_for", "warnings", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    alerts: _containers.RepeatedScalarFieldContainer[str]
    created_at: int
    delivered: int
    description: str
    events: _containers.RepeatedScalarFieldContainer[str]
    failed: int
    id: str
    metrics: _containers.RepeatedScalarFieldContainer[str]
    runs: _containers.RepeatedScalarFieldContainer[str]
    secret: str
    state: str
    url: str
    waiting: int
    waits_for: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    more: _containers.MessageMap[str, Json]
    def __init__(self, alerts: _Optional[_Iterable[str]] = ..., created_at: _Optional[int] = ..., delivered: _Optional[int] = ..., description: _Optional[str] = ..., events: _Optional[_Iterable[str]] = ..., failed: _Optional[int] = ..., id: _Optional[str] = ..., metrics: _Optional[_Iterable[str]] = ..., runs: _Optional[_Iterable[str]] = ..., secret: _Optional[str] = ..., state: _Optional[str] = ..., url: _Optional[str] = ..., waiting: _Optional[int] = ..., waits_for: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class CreateWebhookRequest(_message.Message):
    __slots__ = ("url", "events", "metrics", "runs", "alerts", "description", "secret")
    URL_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    url: str
    events: _containers.RepeatedScalarFieldContainer[str]
    metrics: _containers.RepeatedScalarFieldContainer[str]
    runs: _containers.RepeatedScalarFieldContainer[str]
    alerts: _containers.RepeatedScalarFieldContainer[str]
    description: str
    secret: str
    def __init__(self, url: _Optional[str] = ..., events: _Optional[_Iterable[str]] = ..., metrics: _Optional[_Iterable[str]] = ..., runs: _Optional[_Iterable[str]] = ..., alerts: _Optional[_Iterable[str]] = ..., description: _Optional[str] = ..., secret: _Optional[str] = ...) -> None: ...

class ShowWebhookRequest(_message.Message):
    __slots__ = ("webhook_id",)
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    def __init__(self, webhook_id: _Optional[str] = ...) -> None: ...

class UpdateWebhookRequest(_message.Message):
    __slots__ = ("webhook_id", "paused", "rotate", "secret")
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    ROTATE_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    paused: bool
    rotate: bool
    secret: str
    def __init__(self, webhook_id: _Optional[str] = ..., paused: _Optional[bool] = ..., rotate: _Optional[bool] = ..., secret: _Optional[str] = ...) -> None: ...

class DeleteWebhookRequest(_message.Message):
    __slots__ = ("webhook_id",)
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    def __init__(self, webhook_id: _Optional[str] = ...) -> None: ...

class ListDeliveriesRequest(_message.Message):
    __slots__ = ("webhook_id", "state", "limit", "before")
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    state: str
    limit: int
    before: str
    def __init__(self, webhook_id: _Optional[str] = ..., state: _Optional[str] = ..., limit: _Optional[int] = ..., before: _Optional[str] = ...) -> None: ...

class DeliveryPage(_message.Message):
    __slots__ = ("deliveries", "next", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    next: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., next: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("attempts", "created_at", "id", "next_at", "payload", "state", "type", "waits_for", "webhook", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    NEXT_AT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    attempts: _containers.RepeatedCompositeFieldContainer[Json]
    created_at: int
    id: str
    next_at: int
    payload: Json
    state: str
    type: str
    waits_for: str
    webhook: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, attempts: _Optional[_Iterable[_Union[Json, _Mapping]]] = ..., created_at: _Optional[int] = ..., id: _Optional[str] = ..., next_at: _Optional[int] = ..., payload: _Optional[_Union[Json, _Mapping]] = ..., state: _Optional[str] = ..., type: _Optional[str] = ..., waits_for: _Optional[str] = ..., webhook: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowDeliveryRequest(_message.Message):
    __slots__ = ("webhook_id", "delivery_id")
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    delivery_id: str
    def __init__(self, webhook_id: _Optional[str] = ..., delivery_id: _Optional[str] = ...) -> None: ...

class RedeliverRequest(_message.Message):
    __slots__ = ("webhook_id", "deliveries", "since")
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    deliveries: _containers.RepeatedScalarFieldContainer[str]
    since: Json
    def __init__(self, webhook_id: _Optional[str] = ..., deliveries: _Optional[_Iterable[str]] = ..., since: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...

class Queued(_message.Message):
    __slots__ = ("queued", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    queued: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, queued: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListSchemasRequest(_message.Message):
    __slots__ = ("prefix",)
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    def __init__(self, prefix: _Optional[str] = ...) -> None: ...

class SubjectRows(_message.Message):
    __slots__ = ("schemas", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    SCHEMAS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    schemas: _containers.RepeatedCompositeFieldContainer[SubjectRow]
    more: _containers.MessageMap[str, Json]
    def __init__(self, schemas: _Optional[_Iterable[_Union[SubjectRow, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SubjectRow(_message.Message):
    __slots__ = ("contract", "id", "language", "level", "subject", "versions", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    contract: bool
    id: int
    language: str
    level: str
    subject: str
    versions: _containers.RepeatedScalarFieldContainer[int]
    more: _containers.MessageMap[str, Json]
    def __init__(self, contract: _Optional[bool] = ..., id: _Optional[int] = ..., language: _Optional[str] = ..., level: _Optional[str] = ..., subject: _Optional[str] = ..., versions: _Optional[_Iterable[int]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowSchemaRequest(_message.Message):
    __slots__ = ("subject", "version")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    subject: str
    version: int
    def __init__(self, subject: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class SchemaView(_message.Message):
    __slots__ = ("contract", "id", "language", "level", "references", "schema", "subject", "version", "versions", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    contract: bool
    id: int
    language: str
    level: str
    references: _containers.RepeatedCompositeFieldContainer[ReferenceShape]
    schema: str
    subject: str
    version: int
    versions: _containers.RepeatedScalarFieldContainer[int]
    more: _containers.MessageMap[str, Json]
    def __init__(self, contract: _Optional[bool] = ..., id: _Optional[int] = ..., language: _Optional[str] = ..., level: _Optional[str] = ..., references: _Optional[_Iterable[_Union[ReferenceShape, _Mapping]]] = ..., schema: _Optional[str] = ..., subject: _Optional[str] = ..., version: _Optional[int] = ..., versions: _Optional[_Iterable[int]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ReferenceShape(_message.Message):
    __slots__ = ("name", "subject", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    name: str
    subject: str
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, name: _Optional[str] = ..., subject: _Optional[str] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class PushSchemaRequest(_message.Message):
    __slots__ = ("subject", "schema", "language", "references")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    subject: str
    schema: str
    language: str
    references: _containers.RepeatedCompositeFieldContainer[ReferenceShape]
    def __init__(self, subject: _Optional[str] = ..., schema: _Optional[str] = ..., language: _Optional[str] = ..., references: _Optional[_Iterable[_Union[ReferenceShape, _Mapping]]] = ...) -> None: ...

class SchemaPushed(_message.Message):
    __slots__ = ("created", "id", "subject", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CREATED_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    created: bool
    id: int
    subject: str
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, created: _Optional[bool] = ..., id: _Optional[int] = ..., subject: _Optional[str] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class CheckSchemaRequest(_message.Message):
    __slots__ = ("subject", "schema", "language", "references")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    subject: str
    schema: str
    language: str
    references: _containers.RepeatedCompositeFieldContainer[ReferenceShape]
    def __init__(self, subject: _Optional[str] = ..., schema: _Optional[str] = ..., language: _Optional[str] = ..., references: _Optional[_Iterable[_Union[ReferenceShape, _Mapping]]] = ...) -> None: ...

class SchemaChecked(_message.Message):
    __slots__ = ("compatible", "level", "reasons", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    COMPATIBLE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    compatible: bool
    level: str
    reasons: _containers.RepeatedScalarFieldContainer[str]
    more: _containers.MessageMap[str, Json]
    def __init__(self, compatible: _Optional[bool] = ..., level: _Optional[str] = ..., reasons: _Optional[_Iterable[str]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class CreateTopicRequest(_message.Message):
    __slots__ = ("topic", "owner", "purpose", "types", "expires", "retention", "config", "depth_max", "exports")
    class ConfigEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    DEPTH_MAX_FIELD_NUMBER: _ClassVar[int]
    EXPORTS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    owner: str
    purpose: str
    types: _containers.RepeatedScalarFieldContainer[str]
    expires: str
    retention: str
    config: _containers.MessageMap[str, Json]
    depth_max: int
    exports: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, topic: _Optional[str] = ..., owner: _Optional[str] = ..., purpose: _Optional[str] = ..., types: _Optional[_Iterable[str]] = ..., expires: _Optional[str] = ..., retention: _Optional[str] = ..., config: _Optional[_Mapping[str, Json]] = ..., depth_max: _Optional[int] = ..., exports: _Optional[_Iterable[str]] = ...) -> None: ...

class TopicView(_message.Message):
    __slots__ = ("created", "created_at", "created_by", "depth_max", "expires", "exports", "namespace", "owner", "partitions", "purpose", "reason", "retention", "state", "topic", "types", "until", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CREATED_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    DEPTH_MAX_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    EXPORTS_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    created: bool
    created_at: int
    created_by: str
    depth_max: int
    expires: int
    exports: _containers.RepeatedScalarFieldContainer[str]
    namespace: str
    owner: str
    partitions: int
    purpose: str
    reason: str
    retention: RetentionView
    state: str
    topic: str
    types: _containers.RepeatedScalarFieldContainer[str]
    until: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, created: _Optional[bool] = ..., created_at: _Optional[int] = ..., created_by: _Optional[str] = ..., depth_max: _Optional[int] = ..., expires: _Optional[int] = ..., exports: _Optional[_Iterable[str]] = ..., namespace: _Optional[str] = ..., owner: _Optional[str] = ..., partitions: _Optional[int] = ..., purpose: _Optional[str] = ..., reason: _Optional[str] = ..., retention: _Optional[_Union[RetentionView, _Mapping]] = ..., state: _Optional[str] = ..., topic: _Optional[str] = ..., types: _Optional[_Iterable[str]] = ..., until: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class RetentionView(_message.Message):
    __slots__ = ("bytes", "cleanup", "ms", "of", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BYTES_FIELD_NUMBER: _ClassVar[int]
    CLEANUP_FIELD_NUMBER: _ClassVar[int]
    MS_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    cleanup: str
    ms: int
    of: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, bytes: _Optional[int] = ..., cleanup: _Optional[str] = ..., ms: _Optional[int] = ..., of: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListTopicsRequest(_message.Message):
    __slots__ = ("state", "namespace", "owner", "limit", "after")
    STATE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    state: str
    namespace: str
    owner: str
    limit: int
    after: str
    def __init__(self, state: _Optional[str] = ..., namespace: _Optional[str] = ..., owner: _Optional[str] = ..., limit: _Optional[int] = ..., after: _Optional[str] = ...) -> None: ...

class TopicList(_message.Message):
    __slots__ = ("next", "topics", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    NEXT_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    next: str
    topics: _containers.RepeatedCompositeFieldContainer[TopicView]
    more: _containers.MessageMap[str, Json]
    def __init__(self, next: _Optional[str] = ..., topics: _Optional[_Iterable[_Union[TopicView, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class FindTopicsRequest(_message.Message):
    __slots__ = ("accepts", "emits", "limit")
    ACCEPTS_FIELD_NUMBER: _ClassVar[int]
    EMITS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    accepts: str
    emits: str
    limit: int
    def __init__(self, accepts: _Optional[str] = ..., emits: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class TopicHits(_message.Message):
    __slots__ = ("topics", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    topics: _containers.RepeatedCompositeFieldContainer[TopicHit]
    more: _containers.MessageMap[str, Json]
    def __init__(self, topics: _Optional[_Iterable[_Union[TopicHit, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class TopicHit(_message.Message):
    __slots__ = ("declared", "state", "subject", "topic", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    declared: bool
    state: str
    subject: str
    topic: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, declared: _Optional[bool] = ..., state: _Optional[str] = ..., subject: _Optional[str] = ..., topic: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowTopicRequest(_message.Message):
    __slots__ = ("topic",)
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    topic: str
    def __init__(self, topic: _Optional[str] = ...) -> None: ...

class TopicDetail(_message.Message):
    __slots__ = ("consumers", "created", "created_at", "created_by", "depth_max", "expires", "exports", "groups", "namespace", "owner", "partitions", "producers", "purpose", "reason", "records", "retention", "state", "topic", "types", "until", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CONSUMERS_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    DEPTH_MAX_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    EXPORTS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    PRODUCERS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    consumers: _containers.RepeatedScalarFieldContainer[str]
    created: bool
    created_at: int
    created_by: str
    depth_max: int
    expires: int
    exports: _containers.RepeatedScalarFieldContainer[str]
    groups: _containers.RepeatedCompositeFieldContainer[TopicReader]
    namespace: str
    owner: str
    partitions: int
    producers: _containers.RepeatedScalarFieldContainer[str]
    purpose: str
    reason: str
    records: int
    retention: RetentionView
    state: str
    topic: str
    types: _containers.RepeatedScalarFieldContainer[str]
    until: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, consumers: _Optional[_Iterable[str]] = ..., created: _Optional[bool] = ..., created_at: _Optional[int] = ..., created_by: _Optional[str] = ..., depth_max: _Optional[int] = ..., expires: _Optional[int] = ..., exports: _Optional[_Iterable[str]] = ..., groups: _Optional[_Iterable[_Union[TopicReader, _Mapping]]] = ..., namespace: _Optional[str] = ..., owner: _Optional[str] = ..., partitions: _Optional[int] = ..., producers: _Optional[_Iterable[str]] = ..., purpose: _Optional[str] = ..., reason: _Optional[str] = ..., records: _Optional[int] = ..., retention: _Optional[_Union[RetentionView, _Mapping]] = ..., state: _Optional[str] = ..., topic: _Optional[str] = ..., types: _Optional[_Iterable[str]] = ..., until: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class TopicReader(_message.Message):
    __slots__ = ("at", "behind", "group", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    behind: int
    group: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., behind: _Optional[int] = ..., group: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class UpdateTopicRequest(_message.Message):
    __slots__ = ("topic", "owner", "purpose", "types", "expires", "retention", "config", "depth_max", "exports")
    class ConfigEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    DEPTH_MAX_FIELD_NUMBER: _ClassVar[int]
    EXPORTS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    owner: str
    purpose: str
    types: _containers.RepeatedScalarFieldContainer[str]
    expires: str
    retention: str
    config: _containers.MessageMap[str, Json]
    depth_max: int
    exports: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, topic: _Optional[str] = ..., owner: _Optional[str] = ..., purpose: _Optional[str] = ..., types: _Optional[_Iterable[str]] = ..., expires: _Optional[str] = ..., retention: _Optional[str] = ..., config: _Optional[_Mapping[str, Json]] = ..., depth_max: _Optional[int] = ..., exports: _Optional[_Iterable[str]] = ...) -> None: ...

class DeleteTopicRequest(_message.Message):
    __slots__ = ("topic", "drain", "keep", "reason", "force")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    topic: str
    drain: str
    keep: str
    reason: str
    force: bool
    def __init__(self, topic: _Optional[str] = ..., drain: _Optional[str] = ..., keep: _Optional[str] = ..., reason: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class TopicDeletion(_message.Message):
    __slots__ = ("deleted", "groups", "state", "topic", "until", "users", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DELETED_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    deleted: bool
    groups: _containers.RepeatedScalarFieldContainer[str]
    state: str
    topic: str
    until: int
    users: _containers.RepeatedScalarFieldContainer[str]
    more: _containers.MessageMap[str, Json]
    def __init__(self, deleted: _Optional[bool] = ..., groups: _Optional[_Iterable[str]] = ..., state: _Optional[str] = ..., topic: _Optional[str] = ..., until: _Optional[int] = ..., users: _Optional[_Iterable[str]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class UndeleteTopicRequest(_message.Message):
    __slots__ = ("topic",)
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    topic: str
    def __init__(self, topic: _Optional[str] = ...) -> None: ...

class ProducedRecord(_message.Message):
    __slots__ = ("type", "data", "subject", "id", "source", "time", "correlationid", "causationid", "depth", "extensions", "more")
    class ExtensionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    CORRELATIONID_FIELD_NUMBER: _ClassVar[int]
    CAUSATIONID_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    EXTENSIONS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    type: str
    data: Json
    subject: str
    id: str
    source: str
    time: str
    correlationid: str
    causationid: str
    depth: int
    extensions: _containers.ScalarMap[str, str]
    more: _containers.MessageMap[str, Json]
    def __init__(self, type: _Optional[str] = ..., data: _Optional[_Union[Json, _Mapping]] = ..., subject: _Optional[str] = ..., id: _Optional[str] = ..., source: _Optional[str] = ..., time: _Optional[str] = ..., correlationid: _Optional[str] = ..., causationid: _Optional[str] = ..., depth: _Optional[int] = ..., extensions: _Optional[_Mapping[str, str]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ProduceRecordsRequest(_message.Message):
    __slots__ = ("topic", "records")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    records: _containers.RepeatedCompositeFieldContainer[ProducedRecord]
    def __init__(self, topic: _Optional[str] = ..., records: _Optional[_Iterable[_Union[ProducedRecord, _Mapping]]] = ...) -> None: ...

class Produced(_message.Message):
    __slots__ = ("notes", "records", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    NOTES_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    notes: _containers.RepeatedScalarFieldContainer[str]
    records: _containers.RepeatedCompositeFieldContainer[RecordPlace]
    more: _containers.MessageMap[str, Json]
    def __init__(self, notes: _Optional[_Iterable[str]] = ..., records: _Optional[_Iterable[_Union[RecordPlace, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class RecordPlace(_message.Message):
    __slots__ = ("id", "offset", "partition", "position", "repeated", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    id: str
    offset: int
    partition: int
    position: str
    repeated: bool
    more: _containers.MessageMap[str, Json]
    def __init__(self, id: _Optional[str] = ..., offset: _Optional[int] = ..., partition: _Optional[int] = ..., position: _Optional[str] = ..., repeated: _Optional[bool] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ConsumeRecordsRequest(_message.Message):
    __slots__ = ("topic", "position", "group", "from_offset", "from_time", "partition", "limit", "wait_ms")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    FROM_OFFSET_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    position: str
    group: str
    from_offset: int
    from_time: str
    partition: int
    limit: int
    wait_ms: int
    def __init__(self, topic: _Optional[str] = ..., position: _Optional[str] = ..., group: _Optional[str] = ..., from_offset: _Optional[int] = ..., from_time: _Optional[str] = ..., partition: _Optional[int] = ..., limit: _Optional[int] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class Consumed(_message.Message):
    __slots__ = ("begun", "behind", "notes", "position", "records", "removed", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    begun: str
    behind: int
    notes: _containers.RepeatedScalarFieldContainer[str]
    position: str
    records: _containers.RepeatedCompositeFieldContainer[RecordView]
    removed: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, begun: _Optional[str] = ..., behind: _Optional[int] = ..., notes: _Optional[_Iterable[str]] = ..., position: _Optional[str] = ..., records: _Optional[_Iterable[_Union[RecordView, _Mapping]]] = ..., removed: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class RecordView(_message.Message):
    __slots__ = ("at", "causationid", "correlationid", "data", "depth", "extensions", "id", "offset", "partition", "source", "subject", "time", "type", "more")
    class ExtensionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    CAUSATIONID_FIELD_NUMBER: _ClassVar[int]
    CORRELATIONID_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    EXTENSIONS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: str
    causationid: str
    correlationid: str
    data: Json
    depth: int
    extensions: _containers.ScalarMap[str, str]
    id: str
    offset: int
    partition: int
    source: str
    subject: str
    time: str
    type: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[str] = ..., causationid: _Optional[str] = ..., correlationid: _Optional[str] = ..., data: _Optional[_Union[Json, _Mapping]] = ..., depth: _Optional[int] = ..., extensions: _Optional[_Mapping[str, str]] = ..., id: _Optional[str] = ..., offset: _Optional[int] = ..., partition: _Optional[int] = ..., source: _Optional[str] = ..., subject: _Optional[str] = ..., time: _Optional[str] = ..., type: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class CommitGroupRequest(_message.Message):
    __slots__ = ("group", "topic", "begun", "position")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    group: str
    topic: str
    begun: str
    position: str
    def __init__(self, group: _Optional[str] = ..., topic: _Optional[str] = ..., begun: _Optional[str] = ..., position: _Optional[str] = ...) -> None: ...

class GroupMoved(_message.Message):
    __slots__ = ("again", "done", "group", "partitions", "skipped", "topic", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    again: int
    done: bool
    group: str
    partitions: _containers.RepeatedCompositeFieldContainer[GroupMove]
    skipped: int
    topic: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, again: _Optional[int] = ..., done: _Optional[bool] = ..., group: _Optional[str] = ..., partitions: _Optional[_Iterable[_Union[GroupMove, _Mapping]]] = ..., skipped: _Optional[int] = ..., topic: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class GroupMove(_message.Message):
    __slots__ = ("after", "again", "before", "partition", "skipped", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AFTER_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    after: int
    again: int
    before: int
    partition: int
    skipped: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, after: _Optional[int] = ..., again: _Optional[int] = ..., before: _Optional[int] = ..., partition: _Optional[int] = ..., skipped: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListGroupsRequest(_message.Message):
    __slots__ = ("topic",)
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    topic: str
    def __init__(self, topic: _Optional[str] = ...) -> None: ...

class GroupList(_message.Message):
    __slots__ = ("groups", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[GroupRow]
    more: _containers.MessageMap[str, Json]
    def __init__(self, groups: _Optional[_Iterable[_Union[GroupRow, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class GroupRow(_message.Message):
    __slots__ = ("at", "behind", "group", "topic", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    behind: int
    group: str
    topic: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., behind: _Optional[int] = ..., group: _Optional[str] = ..., topic: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowGroupRequest(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: str
    def __init__(self, group: _Optional[str] = ...) -> None: ...

class GroupView(_message.Message):
    __slots__ = ("group", "topics", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    group: str
    topics: _containers.RepeatedCompositeFieldContainer[GroupTopic]
    more: _containers.MessageMap[str, Json]
    def __init__(self, group: _Optional[str] = ..., topics: _Optional[_Iterable[_Union[GroupTopic, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class GroupTopic(_message.Message):
    __slots__ = ("at", "behind", "partitions", "topic", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    behind: int
    partitions: _containers.RepeatedCompositeFieldContainer[GroupPlace]
    topic: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., behind: _Optional[int] = ..., partitions: _Optional[_Iterable[_Union[GroupPlace, _Mapping]]] = ..., topic: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class GroupPlace(_message.Message):
    __slots__ = ("behind", "end", "offset", "partition", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    behind: int
    end: int
    offset: int
    partition: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, behind: _Optional[int] = ..., end: _Optional[int] = ..., offset: _Optional[int] = ..., partition: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ResetGroupRequest(_message.Message):
    __slots__ = ("group", "topic", "to", "to_offset", "to_time", "position", "partition", "dry_run")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    TO_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    group: str
    topic: str
    to: str
    to_offset: int
    to_time: str
    position: str
    partition: int
    dry_run: bool
    def __init__(self, group: _Optional[str] = ..., topic: _Optional[str] = ..., to: _Optional[str] = ..., to_offset: _Optional[int] = ..., to_time: _Optional[str] = ..., position: _Optional[str] = ..., partition: _Optional[int] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class ResetAgentRequest(_message.Message):
    __slots__ = ("agent", "topic", "to", "to_offset", "to_time", "partition", "dry_run")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    TO_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    agent: str
    topic: str
    to: str
    to_offset: int
    to_time: str
    partition: int
    dry_run: bool
    def __init__(self, agent: _Optional[str] = ..., topic: _Optional[str] = ..., to: _Optional[str] = ..., to_offset: _Optional[int] = ..., to_time: _Optional[str] = ..., partition: _Optional[int] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class AgentReset(_message.Message):
    __slots__ = ("again", "agent", "done", "skipped", "topics", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    again: int
    agent: str
    done: bool
    skipped: int
    topics: _containers.RepeatedCompositeFieldContainer[GroupMoved]
    more: _containers.MessageMap[str, Json]
    def __init__(self, again: _Optional[int] = ..., agent: _Optional[str] = ..., done: _Optional[bool] = ..., skipped: _Optional[int] = ..., topics: _Optional[_Iterable[_Union[GroupMoved, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class RegisterAgentRequest(_message.Message):
    __slots__ = ("agent", "owner", "kind", "description", "consumes", "produces", "capabilities", "handler", "concurrency", "on_poison", "while_waiting", "limits", "code")
    class LimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    AGENT_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CONSUMES_FIELD_NUMBER: _ClassVar[int]
    PRODUCES_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    ON_POISON_FIELD_NUMBER: _ClassVar[int]
    WHILE_WAITING_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    owner: str
    kind: str
    description: str
    consumes: _containers.RepeatedScalarFieldContainer[str]
    produces: _containers.RepeatedScalarFieldContainer[str]
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    handler: str
    concurrency: int
    on_poison: str
    while_waiting: str
    limits: _containers.ScalarMap[str, int]
    code: str
    def __init__(self, agent: _Optional[str] = ..., owner: _Optional[str] = ..., kind: _Optional[str] = ..., description: _Optional[str] = ..., consumes: _Optional[_Iterable[str]] = ..., produces: _Optional[_Iterable[str]] = ..., capabilities: _Optional[_Iterable[str]] = ..., handler: _Optional[str] = ..., concurrency: _Optional[int] = ..., on_poison: _Optional[str] = ..., while_waiting: _Optional[str] = ..., limits: _Optional[_Mapping[str, int]] = ..., code: _Optional[str] = ...) -> None: ...

class AgentRegistered(_message.Message):
    __slots__ = ("agent", "capabilities", "created", "description", "instances", "kind", "namespace", "owner", "ranges", "reason", "registered", "shares", "state", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGENT_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    created: bool
    description: str
    instances: int
    kind: str
    namespace: str
    owner: str
    ranges: _containers.RepeatedCompositeFieldContainer[RangeView]
    reason: str
    registered: int
    shares: _containers.RepeatedCompositeFieldContainer[ShareView]
    state: str
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, agent: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., created: _Optional[bool] = ..., description: _Optional[str] = ..., instances: _Optional[int] = ..., kind: _Optional[str] = ..., namespace: _Optional[str] = ..., owner: _Optional[str] = ..., ranges: _Optional[_Iterable[_Union[RangeView, _Mapping]]] = ..., reason: _Optional[str] = ..., registered: _Optional[int] = ..., shares: _Optional[_Iterable[_Union[ShareView, _Mapping]]] = ..., state: _Optional[str] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class RangeView(_message.Message):
    __slots__ = ("end", "first", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    END_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    end: str
    first: str
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, end: _Optional[str] = ..., first: _Optional[str] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShareView(_message.Message):
    __slots__ = ("percent", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    percent: float
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, percent: _Optional[float] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListAgentsRequest(_message.Message):
    __slots__ = ("state", "namespace", "owner", "limit", "after")
    STATE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    state: str
    namespace: str
    owner: str
    limit: int
    after: str
    def __init__(self, state: _Optional[str] = ..., namespace: _Optional[str] = ..., owner: _Optional[str] = ..., limit: _Optional[int] = ..., after: _Optional[str] = ...) -> None: ...

class AgentList(_message.Message):
    __slots__ = ("agents", "next", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    agents: _containers.RepeatedCompositeFieldContainer[AgentRow]
    next: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, agents: _Optional[_Iterable[_Union[AgentRow, _Mapping]]] = ..., next: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class AgentRow(_message.Message):
    __slots__ = ("agent", "capabilities", "description", "instances", "kind", "namespace", "owner", "ranges", "reason", "shares", "state", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGENT_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    description: str
    instances: int
    kind: str
    namespace: str
    owner: str
    ranges: _containers.RepeatedCompositeFieldContainer[RangeView]
    reason: str
    shares: _containers.RepeatedCompositeFieldContainer[ShareView]
    state: str
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, agent: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., description: _Optional[str] = ..., instances: _Optional[int] = ..., kind: _Optional[str] = ..., namespace: _Optional[str] = ..., owner: _Optional[str] = ..., ranges: _Optional[_Iterable[_Union[RangeView, _Mapping]]] = ..., reason: _Optional[str] = ..., shares: _Optional[_Iterable[_Union[ShareView, _Mapping]]] = ..., state: _Optional[str] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class FindAgentsRequest(_message.Message):
    __slots__ = ("words", "limit")
    WORDS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    words: str
    limit: int
    def __init__(self, words: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class AgentHits(_message.Message):
    __slots__ = ("agents", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    agents: _containers.RepeatedCompositeFieldContainer[AgentHit]
    more: _containers.MessageMap[str, Json]
    def __init__(self, agents: _Optional[_Iterable[_Union[AgentHit, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class AgentHit(_message.Message):
    __slots__ = ("agent", "capabilities", "score", "snippet", "state", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGENT_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SNIPPET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    score: float
    snippet: str
    state: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, agent: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., score: _Optional[float] = ..., snippet: _Optional[str] = ..., state: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowAgentRequest(_message.Message):
    __slots__ = ("agent", "version", "key")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    agent: str
    version: int
    key: str
    def __init__(self, agent: _Optional[str] = ..., version: _Optional[int] = ..., key: _Optional[str] = ...) -> None: ...

class AgentView(_message.Message):
    __slots__ = ("agent", "capabilities", "created_at", "created_by", "definition", "definition_of", "description", "instances", "key", "key_version", "kind", "namespace", "owner", "ranges", "reason", "shares", "state", "version", "versions", "more")
    class DefinitionEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGENT_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_OF_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    KEY_VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    created_at: int
    created_by: str
    definition: _containers.MessageMap[str, Json]
    definition_of: int
    description: str
    instances: int
    key: str
    key_version: int
    kind: str
    namespace: str
    owner: str
    ranges: _containers.RepeatedCompositeFieldContainer[RangeView]
    reason: str
    shares: _containers.RepeatedCompositeFieldContainer[ShareView]
    state: str
    version: int
    versions: _containers.RepeatedCompositeFieldContainer[VersionView]
    more: _containers.MessageMap[str, Json]
    def __init__(self, agent: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., created_at: _Optional[int] = ..., created_by: _Optional[str] = ..., definition: _Optional[_Mapping[str, Json]] = ..., definition_of: _Optional[int] = ..., description: _Optional[str] = ..., instances: _Optional[int] = ..., key: _Optional[str] = ..., key_version: _Optional[int] = ..., kind: _Optional[str] = ..., namespace: _Optional[str] = ..., owner: _Optional[str] = ..., ranges: _Optional[_Iterable[_Union[RangeView, _Mapping]]] = ..., reason: _Optional[str] = ..., shares: _Optional[_Iterable[_Union[ShareView, _Mapping]]] = ..., state: _Optional[str] = ..., version: _Optional[int] = ..., versions: _Optional[_Iterable[_Union[VersionView, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class VersionView(_message.Message):
    __slots__ = ("at", "by", "version", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    by: str
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., by: _Optional[str] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class DeployAgentRequest(_message.Message):
    __slots__ = ("agent", "version", "percent", "first", "end", "reason")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    agent: str
    version: int
    percent: float
    first: str
    end: str
    reason: str
    def __init__(self, agent: _Optional[str] = ..., version: _Optional[int] = ..., percent: _Optional[float] = ..., first: _Optional[str] = ..., end: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RollbackAgentRequest(_message.Message):
    __slots__ = ("agent", "reason")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    agent: str
    reason: str
    def __init__(self, agent: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ScaleAgentRequest(_message.Message):
    __slots__ = ("agent", "instances")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    agent: str
    instances: int
    def __init__(self, agent: _Optional[str] = ..., instances: _Optional[int] = ...) -> None: ...

class PauseAgentRequest(_message.Message):
    __slots__ = ("agent", "reason")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    agent: str
    reason: str
    def __init__(self, agent: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ResumeAgentRequest(_message.Message):
    __slots__ = ("agent",)
    AGENT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    def __init__(self, agent: _Optional[str] = ...) -> None: ...

class RetireAgentRequest(_message.Message):
    __slots__ = ("agent", "reason")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    agent: str
    reason: str
    def __init__(self, agent: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ListAgentKeysRequest(_message.Message):
    __slots__ = ("agent", "status", "before", "limit")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    status: str
    before: str
    limit: int
    def __init__(self, agent: _Optional[str] = ..., status: _Optional[str] = ..., before: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class AgentKeyList(_message.Message):
    __slots__ = ("keys", "next", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    KEYS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[AgentKeyRow]
    next: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, keys: _Optional[_Iterable[_Union[AgentKeyRow, _Mapping]]] = ..., next: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class AgentKeyRow(_message.Message):
    __slots__ = ("key", "reason", "status", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    key: str
    reason: str
    status: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, key: _Optional[str] = ..., reason: _Optional[str] = ..., status: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowAgentKeyRequest(_message.Message):
    __slots__ = ("agent", "key")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    agent: str
    key: str
    def __init__(self, agent: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class AgentKeyView(_message.Message):
    __slots__ = ("agent", "dead", "dead_count", "ended", "holds", "key", "open", "parked", "parked_count", "reminders", "spent", "spent_day", "status", "tickets", "version", "more")
    class SpentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGENT_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    DEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    PARKED_FIELD_NUMBER: _ClassVar[int]
    PARKED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REMINDERS_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    SPENT_DAY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TICKETS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    dead: _containers.RepeatedCompositeFieldContainer[RecordShown]
    dead_count: int
    ended: int
    holds: _containers.RepeatedCompositeFieldContainer[HoldShown]
    key: str
    open: OpenShown
    parked: _containers.RepeatedCompositeFieldContainer[RecordShown]
    parked_count: int
    reminders: int
    spent: _containers.ScalarMap[str, float]
    spent_day: int
    status: str
    tickets: _containers.RepeatedScalarFieldContainer[str]
    version: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, agent: _Optional[str] = ..., dead: _Optional[_Iterable[_Union[RecordShown, _Mapping]]] = ..., dead_count: _Optional[int] = ..., ended: _Optional[int] = ..., holds: _Optional[_Iterable[_Union[HoldShown, _Mapping]]] = ..., key: _Optional[str] = ..., open: _Optional[_Union[OpenShown, _Mapping]] = ..., parked: _Optional[_Iterable[_Union[RecordShown, _Mapping]]] = ..., parked_count: _Optional[int] = ..., reminders: _Optional[int] = ..., spent: _Optional[_Mapping[str, float]] = ..., spent_day: _Optional[int] = ..., status: _Optional[str] = ..., tickets: _Optional[_Iterable[str]] = ..., version: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class RecordShown(_message.Message):
    __slots__ = ("cause", "generation", "offset", "record", "source", "visit", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    cause: str
    generation: int
    offset: int
    record: str
    source: str
    visit: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, cause: _Optional[str] = ..., generation: _Optional[int] = ..., offset: _Optional[int] = ..., record: _Optional[str] = ..., source: _Optional[str] = ..., visit: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class HoldShown(_message.Message):
    __slots__ = ("reason", "since", "text", "until", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    since: int
    text: str
    until: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, reason: _Optional[str] = ..., since: _Optional[int] = ..., text: _Optional[str] = ..., until: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class OpenShown(_message.Message):
    __slots__ = ("attempt", "cause", "due", "effects", "failures", "generation", "lost", "offset", "record", "since", "source", "state", "visit", "waits_for", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    EFFECTS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    cause: str
    due: int
    effects: int
    failures: int
    generation: int
    lost: int
    offset: int
    record: str
    since: int
    source: str
    state: str
    visit: str
    waits_for: _containers.RepeatedCompositeFieldContainer[AwaitedShown]
    more: _containers.MessageMap[str, Json]
    def __init__(self, attempt: _Optional[int] = ..., cause: _Optional[str] = ..., due: _Optional[int] = ..., effects: _Optional[int] = ..., failures: _Optional[int] = ..., generation: _Optional[int] = ..., lost: _Optional[int] = ..., offset: _Optional[int] = ..., record: _Optional[str] = ..., since: _Optional[int] = ..., source: _Optional[str] = ..., state: _Optional[str] = ..., visit: _Optional[str] = ..., waits_for: _Optional[_Iterable[_Union[AwaitedShown, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class AwaitedShown(_message.Message):
    __slots__ = ("due", "id", "kind", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DUE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    due: int
    id: str
    kind: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, due: _Optional[int] = ..., id: _Optional[str] = ..., kind: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SteerAgentKeyRequest(_message.Message):
    __slots__ = ("agent", "key", "act", "visit", "again", "reason")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    agent: str
    key: str
    act: str
    visit: str
    again: bool
    reason: str
    def __init__(self, agent: _Optional[str] = ..., key: _Optional[str] = ..., act: _Optional[str] = ..., visit: _Optional[str] = ..., again: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class ShowOrgRequest(_message.Message):
    __slots__ = ("as_of",)
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    as_of: str
    def __init__(self, as_of: _Optional[str] = ...) -> None: ...

class OrgView(_message.Message):
    __slots__ = ("agents", "at", "events", "namespaces", "orphans", "position", "topics", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    ORPHANS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    agents: _containers.RepeatedCompositeFieldContainer[AgentRow]
    at: int
    events: int
    namespaces: _containers.RepeatedCompositeFieldContainer[NamespaceView]
    orphans: _containers.RepeatedCompositeFieldContainer[Orphan]
    position: str
    topics: _containers.RepeatedCompositeFieldContainer[TopicView]
    more: _containers.MessageMap[str, Json]
    def __init__(self, agents: _Optional[_Iterable[_Union[AgentRow, _Mapping]]] = ..., at: _Optional[int] = ..., events: _Optional[int] = ..., namespaces: _Optional[_Iterable[_Union[NamespaceView, _Mapping]]] = ..., orphans: _Optional[_Iterable[_Union[Orphan, _Mapping]]] = ..., position: _Optional[str] = ..., topics: _Optional[_Iterable[_Union[TopicView, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class NamespaceView(_message.Message):
    __slots__ = ("agents", "instances", "namespace", "topics", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    agents: Used
    instances: Used
    namespace: str
    topics: Used
    more: _containers.MessageMap[str, Json]
    def __init__(self, agents: _Optional[_Union[Used, _Mapping]] = ..., instances: _Optional[_Union[Used, _Mapping]] = ..., namespace: _Optional[str] = ..., topics: _Optional[_Union[Used, _Mapping]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class Used(_message.Message):
    __slots__ = ("quota", "used", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    QUOTA_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    quota: int
    used: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, quota: _Optional[int] = ..., used: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class Orphan(_message.Message):
    __slots__ = ("kind", "name", "why", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    why: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., why: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListOrgChangesRequest(_message.Message):
    __slots__ = ("name", "limit", "before", "as_of")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    name: str
    limit: int
    before: str
    as_of: str
    def __init__(self, name: _Optional[str] = ..., limit: _Optional[int] = ..., before: _Optional[str] = ..., as_of: _Optional[str] = ...) -> None: ...

class OrgHistory(_message.Message):
    __slots__ = ("entries", "next", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[OrgEntry]
    next: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, entries: _Optional[_Iterable[_Union[OrgEntry, _Mapping]]] = ..., next: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class OrgEntry(_message.Message):
    __slots__ = ("at", "by", "data", "key", "name", "position", "seq", "type", "more")
    class DataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: int
    by: str
    data: _containers.MessageMap[str, Json]
    key: str
    name: str
    position: str
    seq: int
    type: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[int] = ..., by: _Optional[str] = ..., data: _Optional[_Mapping[str, Json]] = ..., key: _Optional[str] = ..., name: _Optional[str] = ..., position: _Optional[str] = ..., seq: _Optional[int] = ..., type: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class DiffOrgRequest(_message.Message):
    __slots__ = ("to",)
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    to: str
    def __init__(self, to: _Optional[str] = ..., **kwargs) -> None: ...

class OrgDiff(_message.Message):
    __slots__ = ("changes", "since", "until", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[OrgChange]
    since: int
    until: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, changes: _Optional[_Iterable[_Union[OrgChange, _Mapping]]] = ..., since: _Optional[int] = ..., until: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class OrgChange(_message.Message):
    __slots__ = ("change", "fields", "kind", "name", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    change: str
    fields: _containers.RepeatedCompositeFieldContainer[FieldChange]
    kind: str
    name: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, change: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[FieldChange, _Mapping]]] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class FieldChange(_message.Message):
    __slots__ = ("after", "before", "field", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    after: Json
    before: Json
    field: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, after: _Optional[_Union[Json, _Mapping]] = ..., before: _Optional[_Union[Json, _Mapping]] = ..., field: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SetNamespaceRequest(_message.Message):
    __slots__ = ("namespace", "topics", "agents", "instances")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    topics: int
    agents: int
    instances: int
    def __init__(self, namespace: _Optional[str] = ..., topics: _Optional[int] = ..., agents: _Optional[int] = ..., instances: _Optional[int] = ...) -> None: ...

class StreamOrgRequest(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: str
    def __init__(self, position: _Optional[str] = ...) -> None: ...

class ListDecisionsRequest(_message.Message):
    __slots__ = ("agent", "key", "run", "correlation", "since", "until", "limit", "before")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    key: str
    run: str
    correlation: str
    since: str
    until: str
    limit: int
    before: str
    def __init__(self, agent: _Optional[str] = ..., key: _Optional[str] = ..., run: _Optional[str] = ..., correlation: _Optional[str] = ..., since: _Optional[str] = ..., until: _Optional[str] = ..., limit: _Optional[int] = ..., before: _Optional[str] = ...) -> None: ...

class DecisionPage(_message.Message):
    __slots__ = ("decisions", "looked_at", "next", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    LOOKED_AT_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedCompositeFieldContainer[DecisionRow]
    looked_at: int
    next: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, decisions: _Optional[_Iterable[_Union[DecisionRow, _Mapping]]] = ..., looked_at: _Optional[int] = ..., next: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class DecisionRow(_message.Message):
    __slots__ = ("agent", "at", "attempt", "brain", "cached", "call", "calls", "causationid", "chosen", "conversation", "correlationid", "cost_usd", "failed", "id", "key", "model", "node", "number", "position", "run", "says", "tokens_in", "tokens_out", "took_ms", "version", "visit", "workflow", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGENT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    BRAIN_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    CAUSATIONID_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    CORRELATIONID_FIELD_NUMBER: _ClassVar[int]
    COST_USD_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    SAYS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_IN_FIELD_NUMBER: _ClassVar[int]
    TOKENS_OUT_FIELD_NUMBER: _ClassVar[int]
    TOOK_MS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    at: str
    attempt: int
    brain: Json
    cached: bool
    call: int
    calls: _containers.RepeatedScalarFieldContainer[str]
    causationid: str
    chosen: str
    conversation: str
    correlationid: str
    cost_usd: float
    failed: bool
    id: str
    key: str
    model: str
    node: str
    number: int
    position: str
    run: str
    says: str
    tokens_in: int
    tokens_out: int
    took_ms: float
    version: int
    visit: str
    workflow: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, agent: _Optional[str] = ..., at: _Optional[str] = ..., attempt: _Optional[int] = ..., brain: _Optional[_Union[Json, _Mapping]] = ..., cached: _Optional[bool] = ..., call: _Optional[int] = ..., calls: _Optional[_Iterable[str]] = ..., causationid: _Optional[str] = ..., chosen: _Optional[str] = ..., conversation: _Optional[str] = ..., correlationid: _Optional[str] = ..., cost_usd: _Optional[float] = ..., failed: _Optional[bool] = ..., id: _Optional[str] = ..., key: _Optional[str] = ..., model: _Optional[str] = ..., node: _Optional[str] = ..., number: _Optional[int] = ..., position: _Optional[str] = ..., run: _Optional[str] = ..., says: _Optional[str] = ..., tokens_in: _Optional[int] = ..., tokens_out: _Optional[int] = ..., took_ms: _Optional[float] = ..., version: _Optional[int] = ..., visit: _Optional[str] = ..., workflow: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowDecisionRequest(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: str
    def __init__(self, decision: _Optional[str] = ...) -> None: ...

class DecisionView(_message.Message):
    __slots__ = ("agent", "answer", "asked", "at", "attempt", "body", "brain", "cached", "call", "calls", "causationid", "chosen", "conversation", "correlationid", "cost_usd", "error", "failed", "gone", "id", "key", "model", "node", "number", "output", "position", "prompt", "request", "run", "says", "temperature", "tokens_in", "tokens_max", "tokens_out", "took_ms", "tools", "version", "visit", "workflow", "more")
    class AskedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class ToolsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ASKED_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    BRAIN_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    CAUSATIONID_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    CORRELATIONID_FIELD_NUMBER: _ClassVar[int]
    COST_USD_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    SAYS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_IN_FIELD_NUMBER: _ClassVar[int]
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    TOKENS_OUT_FIELD_NUMBER: _ClassVar[int]
    TOOK_MS_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    answer: Json
    asked: _containers.MessageMap[str, Json]
    at: str
    attempt: int
    body: str
    brain: Json
    cached: bool
    call: int
    calls: _containers.RepeatedScalarFieldContainer[str]
    causationid: str
    chosen: str
    conversation: str
    correlationid: str
    cost_usd: float
    error: Json
    failed: bool
    gone: bool
    id: str
    key: str
    model: str
    node: str
    number: int
    output: str
    position: str
    prompt: str
    request: str
    run: str
    says: str
    temperature: float
    tokens_in: int
    tokens_max: int
    tokens_out: int
    took_ms: float
    tools: _containers.ScalarMap[str, str]
    version: int
    visit: str
    workflow: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, agent: _Optional[str] = ..., answer: _Optional[_Union[Json, _Mapping]] = ..., asked: _Optional[_Mapping[str, Json]] = ..., at: _Optional[str] = ..., attempt: _Optional[int] = ..., body: _Optional[str] = ..., brain: _Optional[_Union[Json, _Mapping]] = ..., cached: _Optional[bool] = ..., call: _Optional[int] = ..., calls: _Optional[_Iterable[str]] = ..., causationid: _Optional[str] = ..., chosen: _Optional[str] = ..., conversation: _Optional[str] = ..., correlationid: _Optional[str] = ..., cost_usd: _Optional[float] = ..., error: _Optional[_Union[Json, _Mapping]] = ..., failed: _Optional[bool] = ..., gone: _Optional[bool] = ..., id: _Optional[str] = ..., key: _Optional[str] = ..., model: _Optional[str] = ..., node: _Optional[str] = ..., number: _Optional[int] = ..., output: _Optional[str] = ..., position: _Optional[str] = ..., prompt: _Optional[str] = ..., request: _Optional[str] = ..., run: _Optional[str] = ..., says: _Optional[str] = ..., temperature: _Optional[float] = ..., tokens_in: _Optional[int] = ..., tokens_max: _Optional[int] = ..., tokens_out: _Optional[int] = ..., took_ms: _Optional[float] = ..., tools: _Optional[_Mapping[str, str]] = ..., version: _Optional[int] = ..., visit: _Optional[str] = ..., workflow: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowConversationRequest(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: str
    def __init__(self, decision: _Optional[str] = ...) -> None: ...

class Conversation(_message.Message):
    __slots__ = ("asked", "decision", "results", "steps", "whole", "more")
    class AskedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ASKED_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    asked: _containers.MessageMap[str, Json]
    decision: str
    results: _containers.RepeatedCompositeFieldContainer[RecordedResult]
    steps: _containers.RepeatedCompositeFieldContainer[TriedStep]
    whole: bool
    more: _containers.MessageMap[str, Json]
    def __init__(self, asked: _Optional[_Mapping[str, Json]] = ..., decision: _Optional[str] = ..., results: _Optional[_Iterable[_Union[RecordedResult, _Mapping]]] = ..., steps: _Optional[_Iterable[_Union[TriedStep, _Mapping]]] = ..., whole: _Optional[bool] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class RecordedResult(_message.Message):
    __slots__ = ("args", "failed", "name", "text", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ARGS_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    args: Json
    failed: bool
    name: str
    text: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, args: _Optional[_Union[Json, _Mapping]] = ..., failed: _Optional[bool] = ..., name: _Optional[str] = ..., text: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class TriedStep(_message.Message):
    __slots__ = ("brain", "calls", "chosen", "error", "output", "text", "usage", "more")
    class UsageEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BRAIN_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    brain: str
    calls: _containers.RepeatedCompositeFieldContainer[ToolChoice]
    chosen: str
    error: Json
    output: Json
    text: str
    usage: _containers.MessageMap[str, Json]
    more: _containers.MessageMap[str, Json]
    def __init__(self, brain: _Optional[str] = ..., calls: _Optional[_Iterable[_Union[ToolChoice, _Mapping]]] = ..., chosen: _Optional[str] = ..., error: _Optional[_Union[Json, _Mapping]] = ..., output: _Optional[_Union[Json, _Mapping]] = ..., text: _Optional[str] = ..., usage: _Optional[_Mapping[str, Json]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ToolChoice(_message.Message):
    __slots__ = ("args", "name", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ARGS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    args: Json
    name: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, args: _Optional[_Union[Json, _Mapping]] = ..., name: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ChangedTool(_message.Message):
    __slots__ = ("description", "schema", "more")
    class SchemaEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    description: str
    schema: _containers.MessageMap[str, Json]
    more: _containers.MessageMap[str, Json]
    def __init__(self, description: _Optional[str] = ..., schema: _Optional[_Mapping[str, Json]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ForkDecisionRequest(_message.Message):
    __slots__ = ("decision", "model", "system", "task", "tools", "calls_max")
    class ToolsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ChangedTool
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ChangedTool, _Mapping]] = ...) -> None: ...
    DECISION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    CALLS_MAX_FIELD_NUMBER: _ClassVar[int]
    decision: str
    model: str
    system: str
    task: str
    tools: _containers.MessageMap[str, ChangedTool]
    calls_max: int
    def __init__(self, decision: _Optional[str] = ..., model: _Optional[str] = ..., system: _Optional[str] = ..., task: _Optional[str] = ..., tools: _Optional[_Mapping[str, ChangedTool]] = ..., calls_max: _Optional[int] = ...) -> None: ...

class Tried(_message.Message):
    __slots__ = ("divergence", "model", "recorded", "steps", "unknown", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    DIVERGENCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    divergence: Divergence
    model: str
    recorded: _containers.RepeatedCompositeFieldContainer[TriedStep]
    steps: _containers.RepeatedCompositeFieldContainer[TriedStep]
    unknown: int
    more: _containers.MessageMap[str, Json]
    def __init__(self, divergence: _Optional[_Union[Divergence, _Mapping]] = ..., model: _Optional[str] = ..., recorded: _Optional[_Iterable[_Union[TriedStep, _Mapping]]] = ..., steps: _Optional[_Iterable[_Union[TriedStep, _Mapping]]] = ..., unknown: _Optional[int] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class Divergence(_message.Message):
    __slots__ = ("first", "second", "step", "what", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    first: TriedStep
    second: TriedStep
    step: int
    what: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, first: _Optional[_Union[TriedStep, _Mapping]] = ..., second: _Optional[_Union[TriedStep, _Mapping]] = ..., step: _Optional[int] = ..., what: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class TryConversationRequest(_message.Message):
    __slots__ = ("asked", "results", "model", "calls_max")
    class AskedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ASKED_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CALLS_MAX_FIELD_NUMBER: _ClassVar[int]
    asked: _containers.MessageMap[str, Json]
    results: _containers.RepeatedCompositeFieldContainer[RecordedResult]
    model: str
    calls_max: int
    def __init__(self, asked: _Optional[_Mapping[str, Json]] = ..., results: _Optional[_Iterable[_Union[RecordedResult, _Mapping]]] = ..., model: _Optional[str] = ..., calls_max: _Optional[int] = ...) -> None: ...

class DiffDecisionsRequest(_message.Message):
    __slots__ = ("first", "second")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    first: str
    second: str
    def __init__(self, first: _Optional[str] = ..., second: _Optional[str] = ...) -> None: ...

class DecisionDiff(_message.Message):
    __slots__ = ("compared", "divergence", "first", "same", "second", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    DIVERGENCE_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SAME_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    compared: int
    divergence: Divergence
    first: str
    same: bool
    second: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, compared: _Optional[int] = ..., divergence: _Optional[_Union[Divergence, _Mapping]] = ..., first: _Optional[str] = ..., same: _Optional[bool] = ..., second: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class TraceRequest(_message.Message):
    __slots__ = ("id", "since", "topics", "look_max")
    ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    LOOK_MAX_FIELD_NUMBER: _ClassVar[int]
    id: str
    since: str
    topics: _containers.RepeatedScalarFieldContainer[str]
    look_max: int
    def __init__(self, id: _Optional[str] = ..., since: _Optional[str] = ..., topics: _Optional[_Iterable[str]] = ..., look_max: _Optional[int] = ...) -> None: ...

class CausalTree(_message.Message):
    __slots__ = ("correlation", "cut", "looked_at", "nodes", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    CORRELATION_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    LOOKED_AT_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    correlation: str
    cut: _containers.RepeatedScalarFieldContainer[str]
    looked_at: int
    nodes: _containers.RepeatedCompositeFieldContainer[TraceNode]
    more: _containers.MessageMap[str, Json]
    def __init__(self, correlation: _Optional[str] = ..., cut: _Optional[_Iterable[str]] = ..., looked_at: _Optional[int] = ..., nodes: _Optional[_Iterable[_Union[TraceNode, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class TraceNode(_message.Message):
    __slots__ = ("at", "cause", "depth", "id", "kind", "level", "position", "says", "source", "subject", "topic", "type", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SAYS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    at: str
    cause: str
    depth: int
    id: str
    kind: str
    level: int
    position: str
    says: str
    source: str
    subject: str
    topic: str
    type: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, at: _Optional[str] = ..., cause: _Optional[str] = ..., depth: _Optional[int] = ..., id: _Optional[str] = ..., kind: _Optional[str] = ..., level: _Optional[int] = ..., position: _Optional[str] = ..., says: _Optional[str] = ..., source: _Optional[str] = ..., subject: _Optional[str] = ..., topic: _Optional[str] = ..., type: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class SubmitTaskRequest(_message.Message):
    __slots__ = ("body", "media")
    BODY_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    media: str
    def __init__(self, body: _Optional[bytes] = ..., media: _Optional[str] = ...) -> None: ...

class TaskSubmitted(_message.Message):
    __slots__ = ("by", "created", "ended_at", "error", "metadata", "parameters", "plan_id", "requested_at", "result", "status", "task_id", "task_type", "more")
    class ErrorEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class ResultEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    by: str
    created: bool
    ended_at: str
    error: _containers.MessageMap[str, Json]
    metadata: _containers.MessageMap[str, Json]
    parameters: _containers.MessageMap[str, Json]
    plan_id: str
    requested_at: str
    result: _containers.MessageMap[str, Json]
    status: str
    task_id: str
    task_type: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, by: _Optional[str] = ..., created: _Optional[bool] = ..., ended_at: _Optional[str] = ..., error: _Optional[_Mapping[str, Json]] = ..., metadata: _Optional[_Mapping[str, Json]] = ..., parameters: _Optional[_Mapping[str, Json]] = ..., plan_id: _Optional[str] = ..., requested_at: _Optional[str] = ..., result: _Optional[_Mapping[str, Json]] = ..., status: _Optional[str] = ..., task_id: _Optional[str] = ..., task_type: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowTaskRequest(_message.Message):
    __slots__ = ("task_id", "wait_ms")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    wait_ms: int
    def __init__(self, task_id: _Optional[str] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class TaskView(_message.Message):
    __slots__ = ("by", "ended_at", "error", "metadata", "parameters", "plan_id", "requested_at", "result", "status", "task_id", "task_type", "more")
    class ErrorEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class ResultEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BY_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    by: str
    ended_at: str
    error: _containers.MessageMap[str, Json]
    metadata: _containers.MessageMap[str, Json]
    parameters: _containers.MessageMap[str, Json]
    plan_id: str
    requested_at: str
    result: _containers.MessageMap[str, Json]
    status: str
    task_id: str
    task_type: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, by: _Optional[str] = ..., ended_at: _Optional[str] = ..., error: _Optional[_Mapping[str, Json]] = ..., metadata: _Optional[_Mapping[str, Json]] = ..., parameters: _Optional[_Mapping[str, Json]] = ..., plan_id: _Optional[str] = ..., requested_at: _Optional[str] = ..., result: _Optional[_Mapping[str, Json]] = ..., status: _Optional[str] = ..., task_id: _Optional[str] = ..., task_type: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListTasksRequest(_message.Message):
    __slots__ = ("status", "type", "plan_id", "request_id", "limit", "cursor")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    status: str
    type: str
    plan_id: str
    request_id: str
    limit: int
    cursor: str
    def __init__(self, status: _Optional[str] = ..., type: _Optional[str] = ..., plan_id: _Optional[str] = ..., request_id: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class TaskList(_message.Message):
    __slots__ = ("next", "tasks", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    NEXT_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    next: str
    tasks: _containers.RepeatedCompositeFieldContainer[TaskRow]
    more: _containers.MessageMap[str, Json]
    def __init__(self, next: _Optional[str] = ..., tasks: _Optional[_Iterable[_Union[TaskRow, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class TaskRow(_message.Message):
    __slots__ = ("ended_at", "plan_id", "request_id", "requested_at", "requested_ms", "status", "task_id", "task_type", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_MS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    ended_at: str
    plan_id: str
    request_id: str
    requested_at: str
    requested_ms: int
    status: str
    task_id: str
    task_type: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, ended_at: _Optional[str] = ..., plan_id: _Optional[str] = ..., request_id: _Optional[str] = ..., requested_at: _Optional[str] = ..., requested_ms: _Optional[int] = ..., status: _Optional[str] = ..., task_id: _Optional[str] = ..., task_type: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class CancelTaskRequest(_message.Message):
    __slots__ = ("task_id", "reason")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    reason: str
    def __init__(self, task_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class SubmitPlanRequest(_message.Message):
    __slots__ = ("body", "media")
    BODY_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    media: str
    def __init__(self, body: _Optional[bytes] = ..., media: _Optional[str] = ...) -> None: ...

class PlanSubmitted(_message.Message):
    __slots__ = ("by", "context", "created", "ended_at", "error", "failure", "metadata", "plan_id", "plan_type", "requested_at", "result", "rounds", "state", "status", "more")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class ErrorEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class FailureEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class ResultEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BY_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_TYPE_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    by: str
    context: _containers.MessageMap[str, Json]
    created: bool
    ended_at: str
    error: _containers.MessageMap[str, Json]
    failure: _containers.MessageMap[str, Json]
    metadata: _containers.MessageMap[str, Json]
    plan_id: str
    plan_type: str
    requested_at: str
    result: _containers.MessageMap[str, Json]
    rounds: _containers.RepeatedCompositeFieldContainer[RoundView]
    state: str
    status: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, by: _Optional[str] = ..., context: _Optional[_Mapping[str, Json]] = ..., created: _Optional[bool] = ..., ended_at: _Optional[str] = ..., error: _Optional[_Mapping[str, Json]] = ..., failure: _Optional[_Mapping[str, Json]] = ..., metadata: _Optional[_Mapping[str, Json]] = ..., plan_id: _Optional[str] = ..., plan_type: _Optional[str] = ..., requested_at: _Optional[str] = ..., result: _Optional[_Mapping[str, Json]] = ..., rounds: _Optional[_Iterable[_Union[RoundView, _Mapping]]] = ..., state: _Optional[str] = ..., status: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class RoundView(_message.Message):
    __slots__ = ("ended", "execution_time_ms", "metadata", "round", "task_ids", "more")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ENDED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    ended: int
    execution_time_ms: int
    metadata: _containers.MessageMap[str, Json]
    round: int
    task_ids: _containers.RepeatedScalarFieldContainer[str]
    more: _containers.MessageMap[str, Json]
    def __init__(self, ended: _Optional[int] = ..., execution_time_ms: _Optional[int] = ..., metadata: _Optional[_Mapping[str, Json]] = ..., round: _Optional[int] = ..., task_ids: _Optional[_Iterable[str]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ShowPlanRequest(_message.Message):
    __slots__ = ("plan_id", "wait_ms")
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    plan_id: str
    wait_ms: int
    def __init__(self, plan_id: _Optional[str] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class PlanView(_message.Message):
    __slots__ = ("by", "context", "ended_at", "error", "failure", "metadata", "plan_id", "plan_type", "requested_at", "result", "rounds", "state", "status", "more")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class ErrorEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class FailureEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class ResultEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    BY_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_TYPE_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    by: str
    context: _containers.MessageMap[str, Json]
    ended_at: str
    error: _containers.MessageMap[str, Json]
    failure: _containers.MessageMap[str, Json]
    metadata: _containers.MessageMap[str, Json]
    plan_id: str
    plan_type: str
    requested_at: str
    result: _containers.MessageMap[str, Json]
    rounds: _containers.RepeatedCompositeFieldContainer[RoundView]
    state: str
    status: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, by: _Optional[str] = ..., context: _Optional[_Mapping[str, Json]] = ..., ended_at: _Optional[str] = ..., error: _Optional[_Mapping[str, Json]] = ..., failure: _Optional[_Mapping[str, Json]] = ..., metadata: _Optional[_Mapping[str, Json]] = ..., plan_id: _Optional[str] = ..., plan_type: _Optional[str] = ..., requested_at: _Optional[str] = ..., result: _Optional[_Mapping[str, Json]] = ..., rounds: _Optional[_Iterable[_Union[RoundView, _Mapping]]] = ..., state: _Optional[str] = ..., status: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class ListPlansRequest(_message.Message):
    __slots__ = ("status", "type", "request_id", "limit", "cursor")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    status: str
    type: str
    request_id: str
    limit: int
    cursor: str
    def __init__(self, status: _Optional[str] = ..., type: _Optional[str] = ..., request_id: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class PlanList(_message.Message):
    __slots__ = ("next", "plans", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    NEXT_FIELD_NUMBER: _ClassVar[int]
    PLANS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    next: str
    plans: _containers.RepeatedCompositeFieldContainer[PlanRow]
    more: _containers.MessageMap[str, Json]
    def __init__(self, next: _Optional[str] = ..., plans: _Optional[_Iterable[_Union[PlanRow, _Mapping]]] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class PlanRow(_message.Message):
    __slots__ = ("ended_at", "plan_id", "plan_type", "request_id", "requested_at", "requested_ms", "status", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_TYPE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_MS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    ended_at: str
    plan_id: str
    plan_type: str
    request_id: str
    requested_at: str
    requested_ms: int
    status: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, ended_at: _Optional[str] = ..., plan_id: _Optional[str] = ..., plan_type: _Optional[str] = ..., request_id: _Optional[str] = ..., requested_at: _Optional[str] = ..., requested_ms: _Optional[int] = ..., status: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...

class CancelPlanRequest(_message.Message):
    __slots__ = ("plan_id", "reason")
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    plan_id: str
    reason: str
    def __init__(self, plan_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class StreamEventsRequest(_message.Message):
    __slots__ = ("type", "metric", "alert", "window", "by", "where", "subject", "position")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    type: _containers.RepeatedScalarFieldContainer[str]
    metric: _containers.RepeatedScalarFieldContainer[str]
    alert: _containers.RepeatedScalarFieldContainer[str]
    window: str
    by: _containers.RepeatedScalarFieldContainer[str]
    where: _containers.RepeatedScalarFieldContainer[str]
    subject: str
    position: str
    def __init__(self, type: _Optional[_Iterable[str]] = ..., metric: _Optional[_Iterable[str]] = ..., alert: _Optional[_Iterable[str]] = ..., window: _Optional[str] = ..., by: _Optional[_Iterable[str]] = ..., where: _Optional[_Iterable[str]] = ..., subject: _Optional[str] = ..., position: _Optional[str] = ...) -> None: ...

class LinkTicketRequest(_message.Message):
    __slots__ = ("ticket_id", "choices", "expires", "to")
    TICKET_ID_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    ticket_id: str
    choices: _containers.RepeatedScalarFieldContainer[str]
    expires: str
    to: str
    def __init__(self, ticket_id: _Optional[str] = ..., choices: _Optional[_Iterable[str]] = ..., expires: _Optional[str] = ..., to: _Optional[str] = ...) -> None: ...

class TicketLink(_message.Message):
    __slots__ = ("expires_at", "url", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Json
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Json, _Mapping]] = ...) -> None: ...
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    expires_at: int
    url: str
    more: _containers.MessageMap[str, Json]
    def __init__(self, expires_at: _Optional[int] = ..., url: _Optional[str] = ..., more: _Optional[_Mapping[str, Json]] = ...) -> None: ...
