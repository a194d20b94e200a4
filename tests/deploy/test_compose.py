"""The Compose file starts what the code has: command lines, variables, ports, paths; whatever is altered is noticed."""

import copy
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from aob.compose.coordinator.serving import reached_at
from aob.server import read_api_keys
from tests.deploy.compose import FOLDER, ROOT, USED, Checked

TEXT = (FOLDER / "docker-compose.yml").read_text()
EXAMPLE = (FOLDER / ".env.example").read_text()
FREE = re.compile(r"^((worker|executor)-\d|\d+s|no|unless-stopped|SIGINT|haproxy|-W|-db|-f|-U|-d|CMD|1000)$")
"""What may be written otherwise without anything being wrong: a worker's name, times, words of others."""


def example() -> dict[str, str]:
    """The variables of the example, those without a value with one."""
    pairs = (line.split("=", 1) for line in EXAMPLE.splitlines() if "=" in line and not line.startswith("#"))
    return {name: value or name.rjust(40, "k") for name, value in pairs}


def document() -> dict[str, Any]:
    return dict(yaml.safe_load(TEXT))


def test_everything_that_it_starts_is_there() -> None:
    assert Checked(document(), example()).problems == []


def test_it_has_what_a_cluster_has() -> None:
    checked = Checked(document(), example())
    roles = [" ".join(words[: 2 if words[0] == "serve" else 1]) for words in checked.commands.values()]
    expected = {
        "serve coordinator": 2, "serve api": 2, "serve metrics": 1, "serve fanout": 1, "worker": 2, "serve worker": 1,
    }  # fmt: skip
    assert {role: roles.count(role) for role in expected} == expected
    images = sorted(one["image"].partition(":")[0] for one in checked.services.values() if one["image"] != "aob")
    assert images == ["haproxy", "postgres"]
    assert [name for name, one in checked.services.items() if "ports" in one] == ["edge"], "nothing else is outside"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every word of commands, variables, mounts, ports, probes and orders; a key is the word at its own path."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from places(each, (*path, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from places(each, (*path, number))
    elif isinstance(value, str):
        yield path, value


def within(changed: dict[str, Any], at: Any, last: Any, line: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A shell's line with one of its words altered; a name that nobody asks for may be another one."""
    words = line.split()
    for number, word in enumerate(words):
        if word not in ("localhost", "edge"):
            at[last] = " ".join([*words[:number], f"x{word}", *words[number + 1 :]])
            yield word, copy.deepcopy(changed)


def altered(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The file with one thing of a service altered: a word, a name of a variable, a service that it waits for."""
    one = document()["services"][name]
    parts = {key: one[key] for key in ("command", "environment", "volumes", "ports", "healthcheck") if key in one}
    for path, word in places(parts):
        if (
            FREE.match(word)
            or USED.search(word)
            or "import" in word
            or path[-1] in ("AOB_EDGE_STARTS", "POSTGRES_USER")
        ):
            continue
        changed = document()
        at = changed["services"][name] = copy.deepcopy(changed["services"][name])
        for step in path[:-1]:
            at = at[step]
        if " " in word:
            yield from within(changed, at, path[-1], word)
            continue
        at[path[-1]] = f"x{word}" if path[0] in ("command", "volumes") else f"{word}x"
        yield f"{'.'.join(map(str, path))}: {word}", changed
    for key in one.get("environment", {}):
        changed = document()
        at = changed["services"][name]["environment"] = dict(one["environment"])
        at[f"{key}S"] = at.pop(key)
        yield f"the variable {key}", changed
    for key in one.get("depends_on", {}):
        changed = document()
        at = changed["services"][name]["depends_on"] = dict(one["depends_on"])
        at[f"{key}s"] = at.pop(key)
        yield f"waits for {key}", changed


@pytest.mark.parametrize("name", list(yaml.safe_load(TEXT)["services"]))
def test_whatever_of_a_service_is_altered_is_noticed(name: str) -> None:
    unnoticed = []
    for what, changed in altered(name):
        try:
            if not Checked(changed, example()).problems:
                unnoticed.append(what)
        except (KeyError, IndexError, ValueError):  # a shape that nothing else would take
            continue
    assert unnoticed == []


def test_the_example_names_what_is_used_and_no_secret_has_a_value() -> None:
    used = set(USED.findall(TEXT))
    assert used == set(example())
    secret = [line for line in EXAMPLE.splitlines() if re.match(r"\w*(PASSWORD|KEY)=", line)]
    assert len(secret) == 6
    assert all(line.endswith("=") for line in secret)
    for name in used - {"AOB_EDGE_PORT"}:
        assert f"${{{name}:?" in TEXT, f"without {name} it would start with an empty one"


def test_its_keys_are_keys() -> None:
    checked = Checked(document(), example())
    keys = read_api_keys(checked.filled(checked.services["coordinator-1"])["AOB_API_KEYS"])
    assert keys.authenticate(example()["AOB_ADMIN_KEY"]) is not None
    assert keys.authenticate(example()["AOB_WORKER_KEY"]) is not None
    executor = keys.authenticate(example()["AOB_EXECUTOR_KEY"])
    assert executor is not None
    assert executor.roles == {"work", "execute"}


def test_the_image_is_made_of_what_is_there() -> None:
    text = (FOLDER / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M):
        *sources, _ = line.split()
        assert not [source for source in sources if not (ROOT / source).exists()]
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    versions = {tuple(map(int, each.split("."))) for each in re.findall(r"^FROM python:([\d.]+)-slim", text, re.M)}
    assert versions
    assert all(each >= tuple(map(int, needs.removeprefix(">=").split("."))) for each in versions)
    assert re.search(r"^USER aob$", text, re.M), "it does not run as root"
    assert 'ENTRYPOINT ["aob"]' in text


def test_a_port_on_every_address_is_told_by_the_name_that_others_know() -> None:
    assert reached_at("0.0.0.0:7700", "coordinator-1:9100") == "coordinator-1:7700"
    assert reached_at("[::]:7700", "[fd00::1]:9100") == "[fd00::1]:7700"
    assert reached_at("127.0.0.1:7700", "coordinator-1:9100") == "127.0.0.1:7700"
