"""SQL statements by name out of the `.sql` files beside a backend. Reads packaged files only."""

from importlib import resources


def named_statements(package: str, file: str) -> dict[str, str]:
    """The named statements of a file of a package: `-- name`, `-- what it does`, then the statement."""
    text = resources.files(package).joinpath(file).read_text()
    found: dict[str, str] = {}
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("-- "):
            found[lines[0][3:].strip()] = "\n".join(line for line in lines[1:] if not line.startswith("--"))
    return found
