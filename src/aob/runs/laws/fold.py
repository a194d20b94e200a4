"""Which code folds runs: a word that differs whenever a page of state might be read in another way."""

import hashlib
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

from aob.core.rules import RULES


def fold_version() -> str:
    """The release, the rules number, and a hash of the sources of what a run is and of its records."""
    found = hashlib.sha256()
    for folder in ("paging", "record", "state"):
        for file in sorted(files("aob.core.run").joinpath(folder).iterdir(), key=lambda file: file.name):
            if file.name.endswith(".py"):
                found.update(file.name.encode() + b"\0" + file.read_bytes())
    try:
        release = version("agentic-orchestration-builder")
    except PackageNotFoundError:  # run from a folder that is not installed
        release = ""
    return f"{release}/{RULES}/{found.hexdigest()}"
