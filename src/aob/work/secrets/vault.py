"""The secrets of a home by name: from the environment (`AOB_SECRET_NAME`), what a cluster keeps, or a file of
`HOME/secrets`, read when used. A secret may be bound to hosts: then it is sent only to those. Values are in no record,
log, answer or error."""

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import msgspec

from aob.core.errors import Invalid, NotFound, Problem, Unavailable
from aob.core.node.template import is_secret_name, put_in, references
from aob.work.egress import matches
from aob.work.job import WorkError, permanent
from aob.work.secrets.mask import Mask

VARIABLE: Final = "AOB_SECRET_"  # the prefix of a secret's name in the environment
CHARS_MIN: Final = 4  # a shorter value could not be removed from an answer without harm
VALUE_MAX: Final = 16 * 1024
HOSTS_MAX: Final = 64
_HOST: Final = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+:[0-9A-Fa-f]*")
SUFFIX: Final = ".json"
NOWHERE: Final = Path("/nonexistent/secrets")  # a home without secrets: only those of the environment exist


class Secret(msgspec.Struct, frozen=True):
    """A value and the hosts it may be sent to (none: any); `*.example.com` is every host below that name."""

    value: str
    hosts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "<secret>"

    def may_go_to(self, host: str) -> bool:
        """Whether the value may be sent to a host."""
        name = host.rstrip(".").lower()
        return not self.hosts or any(matches(pattern.lower(), name) for pattern in self.hosts)


class Kept(Protocol):
    """The secrets that a cluster keeps."""

    def find(self, name: str) -> Secret | None:
        """A secret; None if it keeps none of this name. Raises Unavailable when it cannot be read."""

    def names(self) -> Collection[str]:
        """Their names."""


class Vault:
    """Looks secrets up; `kept` are those of a cluster, which count before files. A file is read again once it has
    changed: a new value needs no restart."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None, kept: Kept | None = None) -> None:
        self._folder, self._env, self._kept = folder, os.environ if env is None else env, kept
        self._read: dict[str, tuple[tuple[int, int, int], Secret]] = {}

    # -- for work

    def value(self, name: str, host: str | None) -> str:
        """The value of a secret to be sent to a host (None: to an unknown host, so a bound one is not sent). Raises
        WorkError `secret_missing` or `secret_refused`, both permanent."""
        try:
            secret = self.get(name)
        except (NotFound, Unavailable) as error:
            raise _refusal("secret_missing", error.detail, error.hint) from None
        if host is None and secret.hosts:
            hint = "use it where an http or https URL says the host, or set it without --host"
            raise _refusal("secret_refused", f"the secret {name} is bound to hosts and this is none", hint)
        if host is not None and not secret.may_go_to(host):
            raise _refusal(
                "secret_refused",
                f"the secret {name} is bound to {', '.join(secret.hosts)} and does not go to {host[:80]}",
                f"aob secret set {name} --host HOST says where it may go",
            )
        return secret.value

    def expand(self, text: str, host: str | None = None, *, url: bool = False) -> tuple[str, Mask]:
        """A setting with its references replaced, once, and the mask that removes the values again. With `url` the text
        itself is the URL whose host the secrets must be bound to. Raises WorkError."""
        names = list(dict.fromkeys(references(text)))
        if not names:
            return text, Mask()
        if url:
            parts = urlsplit(text)
            host = parts.hostname if parts.scheme in {"http", "https"} else None
        values = {name: self.value(name, host) for name in names}
        return put_in(text, values.__getitem__), Mask(values.items())

    def expand_all(self, value: Any, host: str | None = None) -> tuple[Any, Mask]:
        """The same for every text of a JSON value."""
        found: dict[str, str] = {}

        def walk(each: Any) -> Any:
            if isinstance(each, str):
                for name in references(each):
                    found[name] = self.value(name, host)
                return self.expand(each, host)[0]
            if isinstance(each, Mapping):
                return {key: walk(inner) for key, inner in each.items()}
            return [walk(inner) for inner in each] if isinstance(each, list | tuple) else each

        return walk(value), Mask(found.items())

    def get(self, name: str) -> Secret:
        """A secret. Raises NotFound `secret_missing`, Unavailable when it cannot be read."""
        missing = f"there is no secret {name[:64]}"
        hint = f"aob secret set {name[:64]}, or set {VARIABLE}{name[:64]} in the environment"
        if not is_secret_name(name):
            raise NotFound(missing, code="secret_missing", hint=hint)
        given = self._env.get(VARIABLE + name)
        secret = Secret(given) if given else self._found(name)
        if secret is None:
            raise NotFound(missing, code="secret_missing", hint=hint)
        if len(secret.value) < CHARS_MIN or any(c in secret.value for c in "\r\n\0"):
            raise Unavailable(f"the secret {name} is no line of at least {CHARS_MIN} characters", code="bad_secret")
        return secret

    # -- for people

    def set(self, name: str, value: str, hosts: tuple[str, ...] = ()) -> None:
        """Store a secret, whole or not at all, readable by the owner only. Raises Invalid."""
        data = secret_data(name, value, hosts)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path, part = self._path(name), self._folder / f".{name}.part"
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def names(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Every secret by name: its origin, and the hosts that it is bound to."""
        from_env = {key.removeprefix(VARIABLE) for key in self._env if key.startswith(VARIABLE)}
        files: list[str] = []
        with suppress(FileNotFoundError):
            files = [path.name.removesuffix(SUFFIX) for path in self._folder.iterdir() if not path.name.startswith(".")]
        kept = set(self._kept.names()) if self._kept is not None else set()
        for name in sorted(from_env | kept | set(files)):
            if is_secret_name(name):
                found = None if name in from_env else self._found(name)
                source = "environment" if name in from_env else "cluster" if name in kept else "home"
                yield name, source, found.hosts if found else ()

    def remove(self, name: str) -> None:
        """Remove a secret. Raises NotFound."""
        paths = [self._path(name), self._folder / name] if is_secret_name(name) else []
        there = [path for path in paths if path.is_file()]
        if not there:
            raise NotFound(f"the home keeps no secret {name[:64]}", code="secret_missing", hint="aob secret list")
        for path in there:
            path.unlink()

    def _found(self, name: str) -> Secret | None:
        kept = self._kept.find(name) if self._kept is not None else None
        return kept if kept is not None else self._of_file(name)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"

    def _of_file(self, name: str) -> Secret | None:
        """Read `NAME.json`, or a file `NAME` that holds only the value, as secret stores mount them."""
        for path in (self._path(name), self._folder / name):
            try:
                seen = path.stat()
                if not stat.S_ISREG(seen.st_mode) or seen.st_size > VALUE_MAX * 2:
                    continue
                mark = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
                kept = self._read.get(path.name)
                if kept is None or kept[0] != mark:
                    kept = self._read[path.name] = (mark, _read(path))
                return kept[1]
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                why = f"the secret {name} cannot be read: {type(error).__name__}"
                raise Unavailable(why, code="secret_missing", hint=f"aob secret set {name}") from None
        return None


def secret_data(name: str, value: str, hosts: tuple[str, ...] = ()) -> bytes:
    """A secret as it is stored. Raises Invalid `bad_secret`."""
    problems = list(_problems(name, value, hosts))
    if problems:
        raise Invalid("the secret cannot be kept", problems, code="bad_secret")
    return msgspec.json.encode(Secret(value, hosts))


def _read(path: Path) -> Secret:
    data = path.read_bytes()
    return msgspec.json.decode(data, type=Secret) if path.suffix == SUFFIX else Secret(data.decode().rstrip("\r\n"))


def _problems(name: str, value: str, hosts: tuple[str, ...]) -> Iterator[Problem]:
    if not is_secret_name(name):
        yield Problem("/name", f"{name[:64]!r} cannot be the name of a secret", hint="letters, digits and `_`")
    if not CHARS_MIN <= len(value) <= VALUE_MAX or any(c in value for c in "\r\n\0"):
        yield Problem("/value", f"is no line of {CHARS_MIN} to {VALUE_MAX:,} characters")
    if len(hosts) > HOSTS_MAX:
        yield Problem("/hosts", f"{len(hosts)} hosts are over the limit of {HOSTS_MAX}", "too_large")
    for host in hosts:
        if not _HOST.fullmatch(host):
            yield Problem("/hosts", f"{host[:80]!r} is not a host", hint="api.example.com, or *.example.com; no port")


def _refusal(code: str, message: str, hint: str) -> WorkError:
    return permanent(message, code=code, hint=hint, sent=False)
