"""The secrets that a handler names: `ctx.secret` gives it those, and no others."""

from typing import TYPE_CHECKING, Any, Protocol

from aob.work.job import Context, WorkError, permanent


class Secrets(Protocol):
    """Where secrets come from."""

    def value(self, name: str, host: str | None) -> str:
        """The value of a secret to be sent to a host (None: to an unknown one). Raises WorkError `secret_missing` or
        `secret_refused`."""


class NamingContext:
    """The context of a handler that names secrets."""

    def __init__(self, inner: Context, handler: str, names: tuple[str, ...], secrets: Secrets) -> None:
        self._inner, self._handler, self._names, self._secrets = inner, handler, names, secrets

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    def secret(self, name: str) -> str:
        """The value of a secret that the handler names."""
        if name not in self._names:
            raise unnamed(name)
        return self._secrets.value(name, None)


def unnamed(name: str) -> WorkError:
    """A handler asks for a secret that it does not name."""
    why = f"the handler does not name the secret {str(name)[:64]}"
    return permanent(why, code="secret_unnamed", hint=f'@aob.node(secrets=["{str(name)[:64]}"])')
