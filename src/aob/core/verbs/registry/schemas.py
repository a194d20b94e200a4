"""Verbs of schemas: list, show, push, check; and the requests of the registry's own protocol, which rooms ask for."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypedDict

import msgspec

from aob.core.verb import UNIT, Http, Verb, ok

Version = Annotated[int, msgspec.Meta(ge=0, le=2_147_483_647, description="0: the newest.")]
Subject = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class ReferenceShape(msgspec.Struct, frozen=True):
    """Another schema that a schema uses: under which name, and which version of which subject."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    subject: Subject
    version: Annotated[int, msgspec.Meta(ge=-1, le=2_147_483_647)] = -1


class SubjectRow(TypedDict):
    """A subject in short: its versions, the id and the language of the newest, the level of compatibility that holds,
    and whether it is a contract of an event."""

    subject: str
    versions: list[int]
    id: int
    language: str
    level: str
    contract: bool


class SubjectRows(TypedDict):
    """The subjects of a tenant."""

    schemas: list[SubjectRow]


class SchemaView(SubjectRow):
    """A version of a subject, with the text of its schema and what that refers to."""

    version: int
    schema: str
    references: list[ReferenceShape]


class SchemaPushed(TypedDict):
    """The version and the id of a schema; `created` is false when there was one that says the same."""

    subject: str
    version: int
    id: int
    created: bool


class SchemaChecked(TypedDict):
    """Whether a schema may follow the versions of a subject, and the reasons why not."""

    compatible: bool
    level: str
    reasons: list[str]


class ListSchemas(msgspec.Struct, frozen=True):
    """Which subjects: those that begin so."""

    prefix: Annotated[str, msgspec.Meta(max_length=200, description="Only subjects that begin so.")] = ""


class ShowSchema(msgspec.Struct, frozen=True):
    """Which version of which subject."""

    subject: Subject
    version: Version = 0


class GivenSchema(msgspec.Struct, frozen=True):
    """A schema for a subject: its text, its language, and which other subjects its text refers to by name."""

    subject: Subject
    schema: Annotated[str, msgspec.Meta(max_length=262_144)]
    language: Literal["AVRO", "JSON", "PROTOBUF"] = "JSON"
    references: tuple[ReferenceShape, ...] = ()


class RegistryRoute(msgspec.Struct, frozen=True):
    """One request of Confluent's protocol: method, path below /registry, which answer it has, whether it changes
    something."""

    method: str
    path: str
    answer: str
    writes: bool = False


REGISTRY_ROUTES: Final = (
    RegistryRoute("GET", "", "root"),
    RegistryRoute("GET", "/schemas/types", "types"),
    RegistryRoute("GET", "/schemas", "schemas"),
    RegistryRoute("GET", "/schemas/ids/{id}", "by_id"),
    RegistryRoute("GET", "/schemas/ids/{id}/schema", "text_by_id"),
    RegistryRoute("GET", "/schemas/ids/{id}/subjects", "subjects_of"),
    RegistryRoute("GET", "/schemas/ids/{id}/versions", "versions_of"),
    RegistryRoute("GET", "/schemas/guids/{guid}", "by_guid"),
    RegistryRoute("GET", "/schemas/guids/{guid}/ids", "ids_of_guid"),
    RegistryRoute("GET", "/subjects", "subjects"),
    RegistryRoute("POST", "/subjects/{subject}", "lookup"),
    RegistryRoute("DELETE", "/subjects/{subject}", "remove_subject", writes=True),
    RegistryRoute("GET", "/subjects/{subject}/versions", "versions"),
    RegistryRoute("POST", "/subjects/{subject}/versions", "register", writes=True),
    RegistryRoute("GET", "/subjects/{subject}/versions/{version}", "version"),
    RegistryRoute("DELETE", "/subjects/{subject}/versions/{version}", "remove_version", writes=True),
    RegistryRoute("GET", "/subjects/{subject}/versions/{version}/schema", "text_of_version"),
    RegistryRoute("GET", "/subjects/{subject}/versions/{version}/referencedby", "referenced_by"),
    RegistryRoute("POST", "/compatibility/subjects/{subject}/versions", "compatible"),
    RegistryRoute("POST", "/compatibility/subjects/{subject}/versions/{version}", "compatible_with"),
    RegistryRoute("GET", "/config", "level"),
    RegistryRoute("PUT", "/config", "set_level", writes=True),
    RegistryRoute("DELETE", "/config", "unset_level", writes=True),
    RegistryRoute("GET", "/config/{subject}", "level"),
    RegistryRoute("PUT", "/config/{subject}", "set_level", writes=True),
    RegistryRoute("DELETE", "/config/{subject}", "unset_level", writes=True),
    RegistryRoute("GET", "/mode", "mode"),
    RegistryRoute("PUT", "/mode", "set_mode", writes=True),
    RegistryRoute("DELETE", "/mode", "unset_mode", writes=True),
    RegistryRoute("GET", "/mode/{subject}", "mode"),
    RegistryRoute("PUT", "/mode/{subject}", "set_mode", writes=True),
    RegistryRoute("DELETE", "/mode/{subject}", "unset_mode", writes=True),
    RegistryRoute("GET", "/contexts", "contexts"),
    RegistryRoute("GET", "/v1/metadata/id", "cluster"),
    RegistryRoute("GET", "/associations/resources/{space}/{name}", "no_association"),
)


class AskRegistry(msgspec.Struct, frozen=True):
    """A request of the registry's protocol: which answer, the values of its path, its query and its body."""

    name: str
    path: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    body: str = ""


REGISTRY_READ: Final = Verb("registry_read", AskRegistry, "view", "contract", "main")
REGISTRY_WRITE: Final = Verb("registry_write", AskRegistry, "deploy", "contract", "main")

LIST: Final = Verb(
    "schemas", ListSchemas, "view", "contract", "main",
    Http("GET", "/v1/schemas", "list_schemas", "List the subjects of the registry of schemas.",
         ok(SubjectRows, "The subjects."), wraps="schemas"),
)  # fmt: skip
SHOW: Final = Verb(
    "schema", ShowSchema, "view", "contract", "main",
    Http("GET", "/v1/schemas/{subject}", "show_schema", "Show a version of a subject with its schema.",
         ok(SchemaView, "The version.")),
)  # fmt: skip
PUSH: Final = Verb(
    "push_schema", GivenSchema, "deploy", "contract", "main",
    Http("PUT", "/v1/schemas/{subject}", "push_schema",
         "Register a schema as the next version of a subject. One that says the same as a version is that version; one "
         "that is not compatible with earlier versions at the subject's level is refused, with every place.",
         ok(SchemaPushed, "The version."), takes="SchemaBody", refuses=(409, 413)),
)  # fmt: skip
CHECK: Final = Verb(
    "check_schema", GivenSchema, "view", "contract", "main",
    Http("POST", "/v1/schemas/{subject}/check", "check_schema",
         "Say whether a schema could be the next version of a subject, and register nothing.",
         ok(SchemaChecked, "The verdict."), takes="SchemaBody", cost=UNIT),
)  # fmt: skip

VERBS: Final = (LIST, SHOW, PUSH, CHECK, REGISTRY_READ, REGISTRY_WRITE)
