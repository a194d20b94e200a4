"""The settings of a home: the environment over `HOME/aob.toml`, parsed once into one frozen object."""

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn

import msgspec
from msgspec import Meta, structs

from aob.backends.postgres.address import SCHEMES, read_address
from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Invalid, Problem
from aob.core.hint import nearest
from aob.core.node import KINDS
from aob.core.policy import CALLER_KINDS, Free, PatchRules
from aob.work.egress import EgressRules
from aob.work.tools import Smtp, StoreSettings

SETTINGS_FILE: Final = "aob.toml"
STORE_PASSWORD: Final = "AOB_STORE_PASSWORD"  # noqa: S105  # the name of a variable
SERVERS: Final = re.compile(r"AOB_STORE_((?:[2-9]|[1-9][0-9])(?:_READ)?|READ)")
"""The variables that name further databases of a cluster, and replicas: `2`, `2_READ`, `READ`."""
MASTER_KEY: Final = "AOB_MASTER_KEY"
MASTER_KEY_OLD: Final = "AOB_MASTER_KEY_OLD"
HIDDEN: Final = "***"
SMTP_PASSWORD: Final = "AOB_SMTP_PASSWORD"  # noqa: S105  # the name of a variable
"""The environment variable with the mail server's password: files never hold secrets."""


class Egress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[egress]`: `private` lists hosts, addresses or networks that are not public and may be reached (`host:port`);
    `hosts`, when given, lists the only hosts that may be reached (`*.example.com`)."""

    private: tuple[str, ...] = ()
    hosts: tuple[str, ...] | None = None


class Patching(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[patches]`: what patches may do here; see the rules of the patch gate. `free` lists effects that need no
    approval, each `{kind, host?, method?}`; of an object the method is its `op`."""

    forbidden_kinds: tuple[str, ...] = ()
    agents_max: Annotated[int, Meta(ge=0)] = 5
    always_person: bool = False
    trusted_kinds: tuple[str, ...] = ()
    template_hosts: bool = False
    free: tuple[Free, ...] = ()
    four_eyes: bool = False


class Models(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[models]`: `default` is the model of agents that name none; `base_urls` maps a provider to its address, `keys`
    to the secret that it asks for (`{secret:NAME}`; else the library's own variable of the environment counts);
    `record` names a file of the home into which live exchanges are recorded."""

    default: str = ""
    base_urls: dict[str, str] = {}
    keys: dict[str, Annotated[str, Meta(pattern=r"^\{secret:[A-Za-z0-9_]+\}$")]] = {}
    record: str = ""


class Notify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[notify.targets]`: URLs behind the names of `slack:NAME`, `webhook:NAME` and other channels."""

    targets: dict[str, str] = {}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of a home. `app` lists modules or files with handlers (a file is looked for in the current
    directory, then in the home); `host` and `port` are where `aob up` listens, `public_url` is how others reach it
    (links in notices begin with it); `shards` is the number of owner processes of a new home (0: one, or as many as the
    home has), `partitions` that of its logical partitions (0: 64, or as many as the home was made with; 128 or 256);
    `processes` says who owns the shards after the first: a process each (`shard`, the default of files), or the main
    process (`one`, the default of a store in memory and of a database); `store blobs cache log` name backends
    (`sqlite:` or `memory:`, of blobs `file:`), empty ones are the embedded defaults, which lie in the home; a `store`
    that is `postgresql://USER@HOST/DATABASE?schema=aob` has the log and blobs up to 1 MiB too, unless these are set; a
    `cache` that is `off` remembers nothing; `rate_limit_rpm` is how many units of reads a key has in any minute,
    `tenant_rate_limit_rpm` all keys of a tenant together (0: no limit; the home's own key has none), which may stand in
    `[limits]` too; `certs` is the folder of the certificates of a cluster (empty: `certs` in the home); `lease_s` is
    for how long a process owns shards of a database without renewing them: so long another waits for those of one that
    died. `store_password` comes from the environment only, and so do `servers`: `AOB_STORE_2` to `AOB_STORE_99` are the
    URLs of further databases that have shards of the cluster, `AOB_STORE_READ` and `AOB_STORE_2_READ` those of replicas
    that lists are read from; and `master_key` (`AOB_MASTER_KEY`), which a home in a database needs, and
    `master_key_old`, the one before it while a cluster goes over to another.

    `grpc_port` is the gRPC port, of workers and of the verbs (left out: there is none; 0: any free port); `grpc_cert`
    and `grpc_key` name the PEM files of its certificate. `kinds_without_worker` says what becomes of nodes of the kinds
    that `aob serve worker` performs, and of the records of agents, while no process for them is attached: `here`
    performs them in this process, `wait` waits for one."""

    app: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    grpc_port: Annotated[int, Meta(ge=0, le=65_535)] | None = None
    grpc_cert: str = ""
    grpc_key: str = ""
    kinds_without_worker: Literal["here", "wait"] = "here"
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^/?#@\s]+/?)?$")] = ""
    shards: int = 0
    partitions: int = 0
    processes: Literal["", "one", "shard"] = ""
    concurrency: Annotated[int, Meta(ge=1)] = 256
    store: str = ""
    store_password: str = ""
    servers: dict[str, str] = {}
    master_key: str = ""
    master_key_old: str = ""
    blobs: str = ""
    cache: str = ""
    log: str = ""
    certs: str = ""
    lease_s: Annotated[float, Meta(ge=1, le=600)] = 10.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    rate_limit_rpm: Annotated[int, Meta(ge=0)] = 120
    tenant_rate_limit_rpm: Annotated[int, Meta(ge=0)] = 600
    egress: Egress = Egress()
    patches: Patching = Patching()
    models: Models = Models()
    notify: Notify = Notify()
    smtp: Smtp | None = None
    stores: dict[str, StoreSettings] = {}

    def __repr__(self) -> str:
        """All settings but the passwords and keys."""
        smtp = structs.replace(self.smtp, password=HIDDEN) if self.smtp and self.smtp.password else self.smtp
        told = {name: getattr(self, name) for name in ("store_password", "master_key", "master_key_old")}
        servers = dict.fromkeys(self.servers, HIDDEN)
        if self.smtp is smtp and set(told.values()) <= {"", HIDDEN} and self.servers == servers:
            return super().__repr__()
        hidden = {name: HIDDEN * bool(value) for name, value in told.items()}
        return repr(structs.replace(self, smtp=smtp, servers=servers, **hidden))

    @property
    def in_database(self) -> bool:
        """Whether a database has the truth of the home, not its files."""
        return _is_database(self.store)

    def database_url(self) -> str:
        """The URL of the store with its password: for whoever connects, never for people."""
        told = read_address(self.store)
        return told.with_user(told.user, self.store_password)

    def server_url(self, name: str) -> str:
        """The same of a further database (`2`) or a replica (`READ`, `2_READ`); empty when no variable names it."""
        if not (url := self.servers.get(name, "")):
            return ""
        told = read_address(url, f"AOB_STORE_{name}")
        if "schema=" not in url:
            told = told._replace(schema=read_address(self.store).schema)
        return told.with_user(told.user, told.password or self.store_password)

    @property
    def one_process(self) -> bool:
        """Whether the main process owns every shard."""
        alone = self.in_database or self.store.startswith("memory")
        return (self.processes or ("one" if alone else "shard")) == "one"

    def certs_folder(self, home: Path) -> Path:
        """The folder of the certificates."""
        return home / (self.certs or "certs")

    def egress_rules(self) -> EgressRules:
        """What the checked client may reach."""
        return EgressRules(self.egress.private, self.egress.hosts)

    def patch_rules(self) -> PatchRules:
        """What patches may do."""
        own = self.patches
        return PatchRules(
            own.forbidden_kinds, self.egress.hosts, self.egress.private, own.template_hosts, own.agents_max,
            own.always_person, own.trusted_kinds, own.free, own.four_eyes,
        )  # fmt: skip


LIMITS: Final = ("rate_limit_rpm", "tenant_rate_limit_rpm")
"""Settings that may stand in `[limits]` too."""

VARIABLES: Final = {"AOB_STORE": "store", "AOB_BLOBS": "blobs", "AOB_CACHE": "cache", "AOB_LOG": "log",
                 "AOB_PROCESSES": "processes", "AOB_HOST": "host", "AOB_PORT": "port", "AOB_LOG_LEVEL": "log_level",
                 "AGENTFLOW_RATE_LIMIT_RPM": "rate_limit_rpm", "AOB_RATE_LIMIT_RPM": "rate_limit_rpm",
                 "AOB_PUBLIC_URL": "public_url", "AOB_CERTS": "certs",
                 "AOB_LEASE_S": "lease_s",
                 "AOB_KINDS_WITHOUT_WORKER": "kinds_without_worker",
                 "AOB_GRPC_PORT": "grpc_port", "AOB_GRPC_CERT": "grpc_cert", "AOB_GRPC_KEY": "grpc_key",
                 "AOB_TENANT_RATE_LIMIT_RPM": "tenant_rate_limit_rpm"}  # fmt: skip
"""Variables of the environment, and the setting of each."""

FROM_ENVIRONMENT: Final = {
    "store_password": STORE_PASSWORD, "servers": "AOB_STORE_2", "master_key": MASTER_KEY,
    "master_key_old": MASTER_KEY_OLD,
}  # fmt: skip
"""Settings that only a variable of the environment gives: files never hold secrets."""

_NUMBERS: Final = frozenset(("port", "grpc_port", "rate_limit_rpm", "tenant_rate_limit_rpm"))


def read_settings(home: Path, env: Mapping[str, str], **given: Any) -> Settings:
    """Settings of a home: the file, overridden by the environment, overridden by what was `given` (None is not given).

    Raises Invalid naming the wrong setting and its file.
    """
    path = home / SETTINGS_FILE
    values: JsonObject = {}
    if path.is_file():
        try:
            values = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Invalid(f"{path.name} cannot be read", [
                Problem(path.name, str(error), "bad_settings",
                        hint="it is TOML: name = value, text in quotes; docs/reference/settings.md has an example")
            ]) from error  # fmt: skip
        _refuse_secrets(path.name, values)
        _with_limits(path.name, values)
        if isinstance(files := values.get("app"), list):
            values["app"] = [_beside(home, each) for each in files]
    for variable, name in VARIABLES.items():
        if env.get(variable):
            if name == "lease_s":
                values[name] = _seconds(env[variable])
                continue
            number = name in _NUMBERS and env[variable].isdecimal()
            values[name] = int(env[variable]) if number else env[variable]
    if servers := {found[1]: url for name, url in env.items() if url and (found := SERVERS.fullmatch(name))}:
        values["servers"] = servers
    values |= {name: value for name, value in given.items() if value is not None}
    if "smtp" in values and env.get(SMTP_PASSWORD):
        values["smtp"] = {**values["smtp"], "password": env[SMTP_PASSWORD]}
    try:
        settings = msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        why = f"the settings of {home} are wrong"
        raise Invalid(why, [Problem(path.name, str(error), "bad_settings", hint=_setting_meant(str(error)))]) from error
    known_backends(settings)
    known_kinds(settings.patches)
    if not settings.in_database:
        for name in settings.servers:
            problem = Problem(f"AOB_STORE_{name}", "it belongs to a database, and AOB_STORE names none", "bad_settings",
                              hint="set AOB_STORE to the first database of the cluster, or unset it")  # fmt: skip
            raise Invalid("there is no cluster", [problem])
        return settings
    for name in settings.servers:
        settings.server_url(name)
    if settings.processes == "shard":
        problem = Problem("processes", "of a database each process owns shards by itself", "bad_settings",
                          hint="leave it out, and start the same command once more")  # fmt: skip
        raise Invalid('processes cannot be "shard"', [problem])
    told = read_address(settings.store)
    bare, password = told.with_user(told.user, ""), env.get(STORE_PASSWORD) or told.password
    keys = {"master_key": env.get(MASTER_KEY, ""), "master_key_old": env.get(MASTER_KEY_OLD, "")}
    return structs.replace(settings, store=bare, store_password=password, **keys)


def _refuse_secrets(file: str, values: JsonObject) -> None:
    held = [name for name in FROM_ENVIRONMENT if name in values]
    if held or _holds_password(values.get("store")):
        variable = FROM_ENVIRONMENT[held[0] if held else "store_password"]
        what = "a master key" if held and held[0].startswith("master") else "a password"
        raise Invalid(f"{file} holds {what}", [
            Problem(file, "files never hold secrets", "bad_settings", hint=f"put it into {variable}")
        ])  # fmt: skip


def _seconds(text: str) -> float | str:
    """A number, or what is none."""
    try:
        return float(text)
    except ValueError:
        return text


def _with_limits(file: str, values: JsonObject) -> None:
    """Bring what stands in `[limits]` up. Raises Invalid for what does not belong there, or stands twice."""
    limits = values.pop("limits", None)
    for name in limits if isinstance(limits, dict) else () if limits is None else ("",):
        if name not in LIMITS or name in values:
            why = "stands at the top too" if name in LIMITS else f"[limits] has {', '.join(LIMITS)}"
            raise Invalid(f"the settings of {file} are wrong", [Problem(f"limits.{name}", why, "bad_settings")])
        values[name] = limits[name]


def _is_database(url: object) -> bool:
    return isinstance(url, str) and url.partition(":")[0] in SCHEMES


def _holds_password(url: object) -> bool:
    return _is_database(url) and bool(read_address(str(url), "store").password)


def _beside(home: Path, file: JsonValue) -> JsonValue:
    """A file of handlers that is not in the current directory, but in the home."""
    named = isinstance(file, str) and file.endswith(".py") and not Path(file).is_file()
    return str(home / file) if named and (home / str(file)).is_file() else file


def _setting_meant(words: str) -> str:
    """How to write a list, or the setting, of any table, that an unknown one misspells; and where all are listed."""
    alone = re.search(r"Expected `array`, got `str` - at `\$\.([a-z_.]+)`", words)
    if alone:
        return f'a list of texts: {alone[1].rpartition(".")[2]} = ["…"]'
    unknown = re.search(r"unknown field `([^`]*)`", words)
    tables = (Settings, Egress, Patching, Models, Notify, Smtp, StoreSettings)
    names = {field.encode_name for table in tables for field in msgspec.structs.fields(table)}
    near = nearest(unknown[1], names) if unknown else ""
    return f"did you mean `{near}`? " * bool(near) + "all settings: docs/reference/settings.md"


def known_kinds(rules: Patching) -> None:
    """Raises Invalid for an unknown kind: a misspelled prohibition would prohibit nothing."""
    named = {
        "forbidden_kinds": (rules.forbidden_kinds, KINDS),
        "free": ([each.kind for each in rules.free], KINDS),
        "trusted_kinds": (rules.trusted_kinds, CALLER_KINDS),
    }
    problems = [
        Problem(f"patches.{name}", f"there is no kind {kind[:64]!r}", "bad_settings", hint=f"one of {', '.join(known)}")
        for name, (kinds, known) in named.items() for kind in kinds if kind not in known
    ]  # fmt: skip
    if problems:
        raise Invalid(f"{SETTINGS_FILE} names a kind that there is not", problems)


def known_backends(settings: Settings) -> None:
    """Raises Invalid for a backend that this version lacks, and for a place given to an embedded one, which is in the
    home. A database has the log and the blobs of its own store only."""
    for name, schemes in (("store", ("sqlite", "memory", "postgresql", "postgres")), ("blobs", ("file", "memory")),
                          ("cache", ("memory", "off")), ("log", ("sqlite", "memory"))):  # fmt: skip
        url: str = getattr(settings, name)
        scheme, _, place = url.partition(":")
        if _is_database(url):
            if name != "store":
                _wrong(name, f"{name} lies in the database of the store, or in the home", "leave it out")
        elif place.strip("/") and scheme in schemes:
            _wrong(name, f"{place[:200]!r} is a place, and what is embedded lies in the home",
                   f"write {scheme}: or leave it out")  # fmt: skip
        elif url and scheme not in schemes:
            raise Invalid(f"there is no {name} for {scheme[:64]}://", [
                Problem(f"AOB_{name.upper()}", f"{scheme[:64]} is not among {', '.join(schemes)}", "unknown_backend",
                        hint="leave it out to use the embedded default"
                             + ", or write postgresql://USER@HOST/DATABASE" * (name == "store"))
            ])  # fmt: skip


def _wrong(name: str, why: str, hint: str) -> NoReturn:
    problem = Problem(f"AOB_{name.upper()}", why, "bad_settings", hint=hint)
    raise Invalid(f"{name} cannot lie elsewhere", [problem])


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address to listen on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
