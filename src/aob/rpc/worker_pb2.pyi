from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorkerFrame(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[WorkerItem]
    def __init__(self, items: _Optional[_Iterable[_Union[WorkerItem, _Mapping]]] = ...) -> None: ...

class ServerFrame(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ServerItem]
    def __init__(self, items: _Optional[_Iterable[_Union[ServerItem, _Mapping]]] = ...) -> None: ...

class WorkerItem(_message.Message):
    __slots__ = ("hello", "want", "decline", "done", "fail", "beat", "intend", "settle", "propose", "graph", "log", "draining", "call")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    WANT_FIELD_NUMBER: _ClassVar[int]
    DECLINE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    FAIL_FIELD_NUMBER: _ClassVar[int]
    BEAT_FIELD_NUMBER: _ClassVar[int]
    INTEND_FIELD_NUMBER: _ClassVar[int]
    SETTLE_FIELD_NUMBER: _ClassVar[int]
    PROPOSE_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    want: Want
    decline: Decline
    done: Done
    fail: Fail
    beat: Beat
    intend: Intend
    settle: Settle
    propose: Propose
    graph: Graph
    log: Log
    draining: Draining
    call: Call
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., want: _Optional[_Union[Want, _Mapping]] = ..., decline: _Optional[_Union[Decline, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ..., fail: _Optional[_Union[Fail, _Mapping]] = ..., beat: _Optional[_Union[Beat, _Mapping]] = ..., intend: _Optional[_Union[Intend, _Mapping]] = ..., settle: _Optional[_Union[Settle, _Mapping]] = ..., propose: _Optional[_Union[Propose, _Mapping]] = ..., graph: _Optional[_Union[Graph, _Mapping]] = ..., log: _Optional[_Union[Log, _Mapping]] = ..., draining: _Optional[_Union[Draining, _Mapping]] = ..., call: _Optional[_Union[Call, _Mapping]] = ...) -> None: ...

class ServerItem(_message.Message):
    __slots__ = ("welcome", "job", "keep", "drop", "granted", "recorded", "answer", "refused", "cancel", "ack", "pause", "settings")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    DROP_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    job: Job
    keep: Keep
    drop: Drop
    granted: Granted
    recorded: Recorded
    answer: Answer
    refused: Refused
    cancel: Cancel
    ack: Ack
    pause: Pause
    settings: Settings
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., job: _Optional[_Union[Job, _Mapping]] = ..., keep: _Optional[_Union[Keep, _Mapping]] = ..., drop: _Optional[_Union[Drop, _Mapping]] = ..., granted: _Optional[_Union[Granted, _Mapping]] = ..., recorded: _Optional[_Union[Recorded, _Mapping]] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ..., cancel: _Optional[_Union[Cancel, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., pause: _Optional[_Union[Pause, _Mapping]] = ..., settings: _Optional[_Union[Settings, _Mapping]] = ...) -> None: ...

class Ref(_message.Message):
    __slots__ = ("sha256", "size")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    sha256: bytes
    size: int
    def __init__(self, sha256: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol", "worker", "incarnation", "build", "handlers", "labels", "slots", "held", "offers")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    worker: str
    incarnation: str
    build: str
    handlers: _containers.RepeatedCompositeFieldContainer[Handler]
    labels: _containers.ScalarMap[str, str]
    slots: int
    held: _containers.RepeatedCompositeFieldContainer[Held]
    offers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, protocol: _Optional[int] = ..., worker: _Optional[str] = ..., incarnation: _Optional[str] = ..., build: _Optional[str] = ..., handlers: _Optional[_Iterable[_Union[Handler, _Mapping]]] = ..., labels: _Optional[_Mapping[str, str]] = ..., slots: _Optional[int] = ..., held: _Optional[_Iterable[_Union[Held, _Mapping]]] = ..., offers: _Optional[_Iterable[str]] = ...) -> None: ...

class Handler(_message.Message):
    __slots__ = ("name", "version", "effect", "deterministic", "doc", "input", "secrets")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    DETERMINISTIC_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    effect: str
    deterministic: bool
    doc: str
    input: bytes
    secrets: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., effect: _Optional[str] = ..., deterministic: _Optional[bool] = ..., doc: _Optional[str] = ..., input: _Optional[bytes] = ..., secrets: _Optional[_Iterable[str]] = ...) -> None: ...

class Held(_message.Message):
    __slots__ = ("run", "visit", "attempt", "done")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    done: bool
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., done: _Optional[bool] = ...) -> None: ...

class Want(_message.Message):
    __slots__ = ("jobs",)
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: int
    def __init__(self, jobs: _Optional[int] = ...) -> None: ...

class Decline(_message.Message):
    __slots__ = ("run", "visit", "attempt", "reason")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    reason: str
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("run", "visit", "attempt", "output", "ref", "took_us", "usage", "patch")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    TOOK_US_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    PATCH_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    output: bytes
    ref: Ref
    took_us: int
    usage: bytes
    patch: str
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., output: _Optional[bytes] = ..., ref: _Optional[_Union[Ref, _Mapping]] = ..., took_us: _Optional[int] = ..., usage: _Optional[bytes] = ..., patch: _Optional[str] = ...) -> None: ...

class Fail(_message.Message):
    __slots__ = ("run", "visit", "attempt", "code", "message", "permanent", "detail", "unexpected")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PERMANENT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    UNEXPECTED_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    code: str
    message: str
    permanent: bool
    detail: bytes
    unexpected: bool
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., permanent: _Optional[bool] = ..., detail: _Optional[bytes] = ..., unexpected: _Optional[bool] = ...) -> None: ...

class Beat(_message.Message):
    __slots__ = ("run", "visit", "attempt", "ask", "checkpoint", "ref")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    ask: int
    checkpoint: bytes
    ref: Ref
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., ask: _Optional[int] = ..., checkpoint: _Optional[bytes] = ..., ref: _Optional[_Union[Ref, _Mapping]] = ...) -> None: ...

class Intend(_message.Message):
    __slots__ = ("run", "visit", "attempt", "ask", "kind", "what", "count")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    ask: int
    kind: str
    what: bytes
    count: int
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., ask: _Optional[int] = ..., kind: _Optional[str] = ..., what: _Optional[bytes] = ..., count: _Optional[int] = ...) -> None: ...

class Settle(_message.Message):
    __slots__ = ("run", "visit", "attempt", "ask", "number", "result", "ref", "failed", "usage")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    ask: int
    number: int
    result: bytes
    ref: Ref
    failed: bool
    usage: bytes
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., ask: _Optional[int] = ..., number: _Optional[int] = ..., result: _Optional[bytes] = ..., ref: _Optional[_Union[Ref, _Mapping]] = ..., failed: _Optional[bool] = ..., usage: _Optional[bytes] = ...) -> None: ...

class Propose(_message.Message):
    __slots__ = ("run", "visit", "attempt", "ask", "number", "operations", "reason")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    ask: int
    number: int
    operations: bytes
    reason: str
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., ask: _Optional[int] = ..., number: _Optional[int] = ..., operations: _Optional[bytes] = ..., reason: _Optional[str] = ...) -> None: ...

class Graph(_message.Message):
    __slots__ = ("run", "visit", "attempt", "ask")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    ask: int
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., ask: _Optional[int] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("run", "visit", "attempt", "ask", "name", "args", "count")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    ask: int
    name: str
    args: bytes
    count: int
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., ask: _Optional[int] = ..., name: _Optional[str] = ..., args: _Optional[bytes] = ..., count: _Optional[int] = ...) -> None: ...

class Log(_message.Message):
    __slots__ = ("run", "visit", "attempt", "message", "fields")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    message: str
    fields: bytes
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., message: _Optional[str] = ..., fields: _Optional[bytes] = ...) -> None: ...

class Draining(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("protocol", "lease_ms", "beat_ms", "bytes_max", "value_max", "url", "secrets")
    class SecretsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    BEAT_MS_FIELD_NUMBER: _ClassVar[int]
    BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    VALUE_MAX_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    lease_ms: int
    beat_ms: int
    bytes_max: int
    value_max: int
    url: str
    secrets: _containers.ScalarMap[str, str]
    def __init__(self, protocol: _Optional[int] = ..., lease_ms: _Optional[int] = ..., beat_ms: _Optional[int] = ..., bytes_max: _Optional[int] = ..., value_max: _Optional[int] = ..., url: _Optional[str] = ..., secrets: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("run", "visit", "attempt", "key", "handler", "input", "ref", "by_name", "effect", "resume", "resume_ref", "deadline_ms", "start_ms", "heartbeat_ms", "node", "tenant", "mode", "priority", "depth", "patched", "task", "offered", "kind", "traceparent")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    BY_NAME_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    RESUME_REF_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    PATCHED_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    OFFERED_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    key: str
    handler: str
    input: bytes
    ref: Ref
    by_name: bool
    effect: str
    resume: bytes
    resume_ref: Ref
    deadline_ms: int
    start_ms: int
    heartbeat_ms: int
    node: str
    tenant: str
    mode: str
    priority: str
    depth: int
    patched: bool
    task: bytes
    offered: bool
    kind: str
    traceparent: str
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., key: _Optional[str] = ..., handler: _Optional[str] = ..., input: _Optional[bytes] = ..., ref: _Optional[_Union[Ref, _Mapping]] = ..., by_name: _Optional[bool] = ..., effect: _Optional[str] = ..., resume: _Optional[bytes] = ..., resume_ref: _Optional[_Union[Ref, _Mapping]] = ..., deadline_ms: _Optional[int] = ..., start_ms: _Optional[int] = ..., heartbeat_ms: _Optional[int] = ..., node: _Optional[str] = ..., tenant: _Optional[str] = ..., mode: _Optional[str] = ..., priority: _Optional[str] = ..., depth: _Optional[int] = ..., patched: _Optional[bool] = ..., task: _Optional[bytes] = ..., offered: _Optional[bool] = ..., kind: _Optional[str] = ..., traceparent: _Optional[str] = ...) -> None: ...

class Keep(_message.Message):
    __slots__ = ("run", "visit", "attempt")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class Drop(_message.Message):
    __slots__ = ("run", "visit", "attempt")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class Granted(_message.Message):
    __slots__ = ("run", "visit", "attempt", "ask", "number")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    ask: int
    number: int
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., ask: _Optional[int] = ..., number: _Optional[int] = ...) -> None: ...

class Recorded(_message.Message):
    __slots__ = ("run", "visit", "attempt", "ask", "number", "result", "ref")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    ask: int
    number: int
    result: bytes
    ref: Ref
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., ask: _Optional[int] = ..., number: _Optional[int] = ..., result: _Optional[bytes] = ..., ref: _Optional[_Union[Ref, _Mapping]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("run", "visit", "attempt", "ask", "value", "ref")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    ask: int
    value: bytes
    ref: Ref
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., ask: _Optional[int] = ..., value: _Optional[bytes] = ..., ref: _Optional[_Union[Ref, _Mapping]] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("run", "visit", "attempt", "ask", "code", "message", "hint", "permanent")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    PERMANENT_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    ask: int
    code: str
    message: str
    hint: str
    permanent: bool
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ..., ask: _Optional[int] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ..., permanent: _Optional[bool] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ("run", "visit", "attempt")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("run", "visit", "attempt")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    run: str
    visit: str
    attempt: int
    def __init__(self, run: _Optional[str] = ..., visit: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class Pause(_message.Message):
    __slots__ = ("handler", "paused")
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    handler: str
    paused: bool
    def __init__(self, handler: _Optional[str] = ..., paused: _Optional[bool] = ...) -> None: ...

class Settings(_message.Message):
    __slots__ = ("version", "data")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    version: int
    data: bytes
    def __init__(self, version: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...
