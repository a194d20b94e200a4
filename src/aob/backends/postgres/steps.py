"""The steps that a schema takes, as SQL text: a new schema, a step forward. Pure: the owner's connection runs it, or a
person pastes it into the console of a managed server.

An `expand` step only adds, and releases that do not know it go on; a `contract` step takes away what they use."""

from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Final, Literal, NamedTuple

import msgspec

from aob.core.errors import Conflict, Unavailable
from aob.core.rules import RULES

STATEMENT_MS: Final = 30_000
LOCK_MS: Final = 10_000
RELIED_ON: Final = {
    "default_transaction_isolation": "read committed", "default_transaction_deferrable": "off", "array_nulls": "on",
    "standard_conforming_strings": "on", "quote_all_identifiers": "off", "transform_null_equals": "off",
}  # fmt: skip
"""Settings that statements rely on, each as Postgres has it by itself."""
LOCK_CLASS: Final = 0x616F62
"""The class of our advisory locks."""


class Step(NamedTuple):
    """One step: its number, whether it only adds, its scripts in `schema/` or its own text."""

    number: int
    kind: Literal["expand", "contract"]
    files: tuple[str, ...] = ()
    text: str = ""


FIRST: Final = ("cluster", "leases", "runs", "events", "topics", "pages", "blobs", "records")
STEPS: Final = (
    Step(1, "expand", FIRST),
    Step(2, "expand", ("days", "finished", "logs")),
    Step(3, "contract", text="-- Takes away nothing but releases that do not read the table finished."),
    Step(4, "expand", ("views",)),
    Step(5, "expand", ("records_in_shards",)),
    Step(6, "expand", ("entries",)),
    Step(7, "expand", ("trims",)),
)  # fmt: skip
"""All steps in order. A released step is never changed: what is new is a further step."""


class Wanted(msgspec.Struct, frozen=True):
    """What a cluster is to be: the role of its services, its password (empty: one is made), and the numbers that stay
    (0: the defaults, or what the cluster has). `store` and `cluster`: a further database of a cluster that is there,
    with the same numbers."""

    service: str
    password: str = ""
    shards: int = 0
    partitions: int = 0
    store: int = 1
    cluster: bytes = b""


class Made(msgspec.Struct, frozen=True):
    """What was done: `steps` are those taken now. `store` is the URL of the services when its password was made here:
    it is told this once. `store_number` is which database of the cluster this is. `finished` is the release whose
    upgrade was finished now."""

    schema: str
    service: str
    cluster: str
    shards: int
    partitions: int
    steps: tuple[int, ...] = ()
    store: str = ""
    store_number: int = 1
    finished: str = ""


class Making(NamedTuple):
    """What a schema is made with. `verifier` is the service's password as the server keeps it (empty: none is set),
    `day` the present day, `ahead` how many days after it get partitions."""

    schema: str
    service: str
    verifier: str
    cluster: bytes
    shards: int
    partitions: int
    release: str
    day: int
    ahead: int
    store: int = 1


def new_schema(making: Making, steps: Sequence[Step] = STEPS) -> list[str]:
    """The statements that make a schema with all steps."""
    fill = Filler(making.schema, making.service)
    first, day = steps[0].number, making.day
    made = [lock(making.schema), role(making.service, making.verifier), fill("create schema {schema};")]
    for step in steps:
        text = _text(step)
        if step.number == first:
            made += [fill(text), *_begun(fill, step, making.release)]
        else:
            made += [*_begun(fill, step, making.release), fill(text)]
    made += [
        *first_rows(making),
        fill(f"select {{schema}}.make_days({day - 1}, {day + making.ahead});"),
        *rights(making.schema, making.service),
        fill(_shapes()),
        fill("update {schema}.step set ended = clock_timestamp() where ended is null;"),
    ]  # fmt: skip
    return made


def first_rows(making: Making) -> list[str]:
    """The statements that write what an empty schema is."""
    fill = Filler(making.schema, making.service)
    cluster = f"'\\x{making.cluster.hex()}', {making.shards}, {making.partitions}, '{making.service}', {making.store}"
    return [
        fill(f"insert into {{schema}}.cluster (id, shards, partitions, service, store) values ({cluster});"),  # noqa: S608
        fill(f"insert into {{schema}}.shard (id) select generate_series(0, {making.shards - 1});"),
        finished(making.schema, making.service, making.release, (step.number for step in STEPS)),
    ]


def finished(schema: str, service: str, release: str, steps: Iterable[int]) -> str:
    """The statement that writes down that from now on documents may use the rules of this release."""
    numbers = ", ".join(map(str, steps))
    return Filler(schema, service)(
        f"insert into {{schema}}.finished (release, rules, steps) values ('{release}', {RULES}, '{{{numbers}}}');"  # noqa: S608
    )


def forward(schema: str, service: str, release: str, steps: Iterable[Step]) -> list[str]:
    """The statements that bring a schema these steps forward, and give the service its rights."""
    fill = Filler(schema, service)
    made = [lock(schema)]
    for step in steps:
        made += [*_begun(fill, step, release), fill(_text(step))]
    made += [*rights(schema, service), fill(_shapes())]
    return [*made, fill("update {schema}.step set ended = clock_timestamp() where ended is null;")]


def refuse_steps(
    taken: Sequence[tuple[object, ...]], steps: Sequence[Step], where: str, schema: str, known: int = 0
) -> tuple[int, int]:
    """The last step taken, and the last one that took something away. Raises Unavailable `store_half` when one did not
    end, Conflict `newer_format` for a contract step that this release does not know, `schema_behind` for one that is
    missing; an unknown expand step is none of its business."""
    known = known or steps[-1].number
    half = [number for number, _, _, ended in taken if not ended]
    if half or not taken:
        mend = (
            f'drop schema "{schema}" cascade, then aob db init' if not taken or half[0] == 1 else "run aob db upgrade"
        )
        number = half[0] if half else 1
        raise Unavailable(f"{where}: step {number} of the schema {schema} began and did not end", code="store_half",
                          hint=f"{mend}; nothing is written until then")  # fmt: skip
    for number, kind, release, _ in taken:
        if kind == "contract" and int(str(number)) > known:
            why = f"{where} has taken step {number} of release {release}, and this release knows up to {known}"
            raise Conflict(why, code="newer_format", hint=f"use release {release} or a later one")
    done = {int(str(number)): kind for number, kind, _, _ in taken}
    if missing := [step.number for step in steps if step.number not in done and step.kind == "expand"]:
        raise Conflict(f"{where} lacks step {missing[0]} of the schema, which this release uses", code="schema_behind",
                       hint="aob db upgrade with the owner's URL takes it; releases before go on working")  # fmt: skip
    return max(done), max((number for number, kind in done.items() if kind == "contract"), default=0)


def refuse_changes(changes: Sequence[tuple[object, ...]], where: str, schema: str) -> None:
    """Raises Unavailable `store_half` when something that the steps made is gone, or is another. `changes` are names,
    each with whether it is there."""
    gone = [str(name) for name, there in changes if not there]
    other = [str(name) for name, there in changes if there]
    if gone:
        hint = "a step was undone, or it was dropped by hand: restore the schema from a backup"
        raise Unavailable(f"{where}: the schema {schema} lacks {', '.join(gone[:5])}", code="store_half", hint=hint)
    if other:
        why = f"{where}: in the schema {schema} something has changed: {', '.join(other[:5])}"
        raise Unavailable(why, code="store_half", hint="undo that; or aob db upgrade takes it as it is")


def role(service: str, verifier: str) -> str:
    """The role of the services, when there is none yet."""
    secret = f" password '{verifier}'" if verifier else ""
    return (
        f"do $$ begin if not exists (select from pg_roles where rolname = '{service}') then "
        f'create role "{service}" login{secret}; end if; '
        "exception when duplicate_object or unique_violation then null; end $$;"
    )


def rights(schema: str, service: str) -> list[str]:
    """What the service may do; and the limits of its statements and what these rely on as settings of the role, which
    hold behind a pooler too, where this user may set them."""
    fill = Filler(schema, service)
    settings = {"statement_timeout": STATEMENT_MS, "lock_timeout": LOCK_MS, **RELIED_ON}
    wanted = ", ".join(f"'{name}={value}'" for name, value in settings.items())
    return [fill(_file("rights")), "\n".join([
        "do $$ begin",
        f"  if '{service}' <> current_user and not exists (select from pg_roles",
        f"      where rolname = '{service}' and rolconfig @> array[{wanted}]) then",
        *(f"    alter role \"{service}\" set {name} = '{value}';" for name, value in settings.items()),
        "  end if;",
        "exception when insufficient_privilege then null;",
        "end $$;",
    ])]  # fmt: skip


class Filler(NamedTuple):
    """The names that a script leaves open; neither holds a quote of any kind."""

    schema: str
    service: str

    def __call__(self, text: str) -> str:
        """The script with its names."""
        return text.replace("{schema}", f'"{self.schema}"').replace("{service}", f'"{self.service}"')


def lock(what: str) -> str:
    """Only one changes a schema, or makes a role, at a time; the transaction's end lets the next one in."""
    return f"select pg_advisory_xact_lock({LOCK_CLASS}, hashtext('{what}'));"


def _begun(fill: Filler, step: Step, release: str) -> list[str]:
    """An earlier try of a step that did not end is begun anew."""
    values = f"({step.number}, '{step.kind}', '{release}')"
    return [
        fill(f"insert into {{schema}}.step (number, kind, release) values {values} "  # noqa: S608
             "on conflict (number) do update set begun = clock_timestamp(), ended = null;")
    ]  # fmt: skip


def _text(step: Step) -> str:
    return "\n".join([*map(_file, step.files), step.text])


def _file(name: str) -> str:
    return resources.files("aob.backends.postgres").joinpath("schema", f"{name}.sql").read_text()


def _shapes() -> str:
    return "delete from {schema}.made; insert into {schema}.made select kind, name, shape from {schema}.shapes();"
