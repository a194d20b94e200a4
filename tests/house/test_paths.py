"""Nothing in the checkout names the machine it was written on, or where packages are fetched from."""

import re
from typing import Final

import pytest

from tests.house.tree import ROOT, short, text_of, tracked

MACHINE: Final = re.compile(r"(?<![\w./}])/(?:" + "work|root|home|Users" + r")/[\w.-]")
REGISTRIES: Final = (
    "pypi" + ".org", "pythonhosted" + ".org", "registry.npmjs" + ".org", "crates" + ".io", "proxy.golang" + ".org",
    "deb.debian" + ".org", "repo1.maven" + ".org",
)  # fmt: skip


@pytest.mark.parametrize("pattern", [MACHINE.pattern, *map(re.escape, REGISTRIES)])
def test_no_file_names_a_machine_or_a_registry(pattern: str) -> None:
    found = []
    for path in tracked():
        for number, line in enumerate(text_of(path).splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{short(path)}:{number}: {line.strip()[:120]}")
    assert not found


def test_lock_files_name_every_package_by_its_hash() -> None:
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        pins = [line for line in path.read_text().splitlines() if re.match(r"[A-Za-z0-9]", line)]
        assert pins
        assert not [line for line in pins if not re.match(r"[\w.\[\]-]+==\S+.* \\$", line)]
