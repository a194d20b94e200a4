"""Reads contract files, given as a folder or as files, to texts by name. Checks nothing."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Final

from aob.core.errors import Invalid, NotFound

SUFFIXES: Final = frozenset((".yaml", ".yml", ".json"))
PLATFORM: Final = "metrics/platform/contracts.yaml"  # read as a file: commands do not import the room that folds by it


def contract_files(names: Sequence[str], *, relative: bool = False) -> dict[str, str]:
    """The texts of these files, and of all contract files in these folders, by path as typed.

    `relative` names files of a folder relative to it, as the server will know them. Raises NotFound, Invalid.
    """
    found: dict[str, str] = {}
    for name in names:
        path = Path(name)
        if not path.exists():
            raise NotFound(f"there is no file or folder {name}", code="file_not_found", hint="say where it is")
        files = _inside(path) if path.is_dir() else [path]
        if not files:
            raise NotFound(f"no contract lies in {name}", code="file_not_found", hint="contracts are .yaml or .json")
        for file in files:
            key = file.relative_to(path).as_posix() if relative and path.is_dir() else file.as_posix()
            if key in found:
                raise Invalid(f"two files are called {key}", hint="push one folder at a time")
            found[key] = _text(file)
    return found


def platform_files() -> dict[str, str]:
    """The contracts that every home has, for its own runs and gate."""
    found = resources.files("aob").joinpath(PLATFORM)
    return {PLATFORM: found.read_text("utf-8")}


def write(name: str, data: bytes) -> None:
    """Write a file. Raises Invalid with the system's words."""
    try:
        Path(name).write_bytes(data)
    except OSError as error:
        raise Invalid(f"{name} cannot be written: {error.strerror}") from error


def _inside(folder: Path) -> list[Path]:
    def is_open(path: Path) -> bool:
        return not any(part.startswith(".") for part in path.relative_to(folder).parts)

    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file() and is_open(path))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is not UTF-8", hint="save the file as UTF-8") from error
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error
