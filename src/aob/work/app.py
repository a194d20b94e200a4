"""Load the module that holds an application's handlers: by dotted name, or by the path of a file."""

import hashlib
import importlib
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Final

from aob.core.errors import Invalid, Problem, said
from aob.work.handlers import APP_PREFIX

_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
TRACE_LINES: Final = 6


def load_app(spec: str) -> ModuleType:
    """Load the module named by `shop.handlers`, `handlers.py` or `./apps/shop.py`; loading again returns the same one.
    Relative names and files are resolved from the current directory. Raises Invalid (code `app_not_loaded`) with what
    is missing, or where the module itself fails."""
    text = spec.strip()
    if text.endswith(".py") or "/" in text or "\\" in text:
        return _from_file(text)
    if not _DOTTED.fullmatch(text):
        raise _refused(
            spec, "is neither a module nor a file", "write --app shop.handlers, or the path of a file that ends in .py"
        )
    return _from_name(text)


def _from_name(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        # The command `aob` has its own directory on the path; users mean their current directory.
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(missing + "."):
            raise _refused(
                name,
                f"there is no module {missing!r}",
                f"run from the directory that holds it, install its package, or give a file: --app ./{name}.py",
            ) from error
        raise _broken(name, error) from error
    except (Exception, SystemExit) as error:
        raise _broken(name, error) from error


def _from_file(text: str) -> ModuleType:
    path = Path(text).expanduser().resolve()
    if not path.is_file():
        raise _refused(text, "there is no such file", f"looked for {path}; give the path of a Python file")
    name = module_name(path)
    known = sys.modules.get(name)
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise _refused(text, "is not a Python file", "its name must end in .py")
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module = importlib.util.module_from_spec(spec)
    # Registered before it runs, as the import system does: dataclasses and pickle look up their module by name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _broken(text, error) from error
    return module


def module_name(path: Path) -> str:
    """The name under which a file's module is registered: the same in every process, never that of a real module."""
    stem = re.sub(r"\W", "_", path.stem)
    return f"{APP_PREFIX}{stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def _broken(spec: str, error: Exception | SystemExit) -> Invalid:
    lines = "".join(traceback.format_exception(error)).splitlines()[-TRACE_LINES:]
    place = ""
    line = 0
    for frame in traceback.extract_tb(error.__traceback__):
        if "importlib" not in frame.filename and not frame.filename.endswith("work/app.py"):
            place, line = frame.filename, frame.lineno or 0
    if isinstance(error, SyntaxError):
        place, line = error.filename or place, error.lineno or line
    return _refused(
        spec, f"fails while it is loaded: {type(error).__name__}: {said(error)}", "\n".join(["mend this:", *lines]),
        path=place, line=line,
    )  # fmt: skip


def _refused(spec: str, message: str, hint: str, *, path: str = "", line: int = 0) -> Invalid:
    problem = Problem(path=path or spec, message=message, code="app_not_loaded", line=line, hint=hint)
    return Invalid(f"the application {spec!r} cannot be loaded", [problem], code="app_not_loaded")
