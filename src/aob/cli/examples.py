"""The importable examples of the package: inside the installed package, or next to it in a checkout."""

import sys
from pathlib import Path

import aob
from aob.core.errors import NotFound


def examples() -> Path:
    """Return their folder and make them importable by name. Raises NotFound."""
    package = Path(aob.__file__).parent
    for folder in (package / "examples", package.parents[1] / "examples"):
        if (folder / "demo" / "__init__.py").is_file():
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
            return folder
    raise NotFound("the examples are not here", hint="install the package again, or work in a checkout")
