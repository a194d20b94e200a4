"""Homes that earlier releases left behind are opened by this one: all is there, and what lives goes on to its end.

The archives are made by `tests/fixtures/homes/record.py`; each holds what a kill left on the disk.
"""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.homes.living import ENDED, home_told, lives_on, shown, upped
from tests.fixtures.homes.record import HERE, brief

pytestmark = pytest.mark.timeout(120)
RECORDED = sorted(path.stem for path in HERE.glob("*.json"))


def manifest_of(name: str) -> dict[str, Any]:
    """What the home told when it was recorded."""
    return dict(json.loads((HERE / f"{name}.json").read_text()))


def unpacked(name: str, to: Path) -> Path:
    """A copy of a recorded home."""
    with tarfile.open(HERE / f"{name}.tar.xz") as file:
        # The filter came with 3.11.4; what is unpacked here lies in this repository.
        file.extractall(to, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return to


def at_rest(run: dict[str, Any]) -> bool:
    """Whether a run stays as it is until somebody does something."""
    return run["told"]["status"] in ENDED or (bool(run["then"]) and run["then"] != "uncertain")


@pytest.mark.parametrize("name", RECORDED)
async def test_a_home_of_an_earlier_release_shows_what_it_held_and_goes_on(name: str, tmp_path: Path) -> None:
    manifest = manifest_of(name)
    home = unpacked(name, tmp_path / "home")
    async with upped(home) as (_, api):
        told = await home_told(api)
        opened = {each for each in map(tuple, told.pop("tickets")) if each[1] != "uncertain"}
        assert opened == set(map(tuple, manifest["home"].pop("tickets")))
        assert brief(told) == manifest["home"]
        for run in filter(at_rest, manifest["runs"].values()):
            assert brief(shown(await api.get(f"/v1/runs/{run['id']}"))) == run["told"], run["id"]
        after = brief(await lives_on(api, manifest))
    for told in (after["home"], manifest["after"]["home"]):
        del told["metrics"]["came_back"]  # its steps are within an hour, and the recording is older
    for part, expected in manifest["after"].items():
        assert after[part] == expected, part
    async with upped(home) as (_, api):  # what this release wrote it reads as well
        told = await home_told(api)
        del told["metrics"]["came_back"]
        assert brief(told) == manifest["after"]["home"]
        for name, run in manifest["runs"].items():
            assert brief(shown(await api.get(f"/v1/runs/{run['id']}"))) == manifest["after"]["runs"][name]
