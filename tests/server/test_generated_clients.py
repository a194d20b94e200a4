"""Clients that generators make of the OpenAPI document: they are made whole, compile, and know the events of streams.

The generator of Python is a development dependency; that of TypeScript comes by npm, and both are passed over, with the
reason, where they cannot be had.
"""

import compileall
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aob.server import openapi_document

TYPESCRIPT = """
import type { components, paths } from "./api";
export const started: components["schemas"]["RunStartedEvent"]["type"] = "run_started";
export function by(event: components["schemas"]["RunFeedEvent"]): string {
  return event.type === "run_started" ? (event.workflow ?? "") : event.type;
}
export type Told = paths["/v1/metrics/{metric}"]["get"]["responses"]["200"]["content"]["application/json"]["value"];
"""


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "openapi.json"
    path.write_text(json.dumps(openapi_document()))
    return path


def _parts(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
        for name, below in value.items():
            yield from _parts(below, f"{path}/{name}")
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _parts(below, f"{path}/{number}")


def test_arrays_say_what_is_in_them_and_names_are_those_of_languages() -> None:
    document = openapi_document()
    bare = [path for path, part in _parts(document) if part.get("type") == "array" and "items" not in part]
    assert bare == []
    assert all(name.isidentifier() for name in document["components"]["schemas"])
    names = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_streams_say_what_they_tell() -> None:
    document = openapi_document()
    for path, kinds in (("/v1/events", 1), ("/v1/runs/{run_id}/events", 1), ("/v1/stream/events", 3)):
        told = document["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"]["x-itemSchema"]
        assert len(told["oneOf"]) == kinds
        for each in told["oneOf"]:
            name = each["properties"]["data"]["$ref"].rsplit("/", 1)[1]
            assert name in document["components"]["schemas"]


def test_a_generated_python_client_compiles(document: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("openapi_python_client") is None:
        pytest.skip("openapi-python-client is not installed")
    made = tmp_path / "made"
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--path", document, "--output-path", made,
         "--meta", "none"],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Unable to process" not in said, said
    assert compileall.compile_dir(made, quiet=1)
    listed = {path.stem for path in (made / "api").rglob("*.py")}
    operations = {each["operationId"] for methods in openapi_document()["paths"].values() for each in methods.values()}
    assert operations <= listed, operations - listed


def test_a_generated_typescript_client_compiles(document: Path, tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm here")
    (tmp_path / "use.ts").write_text(TYPESCRIPT)
    tools = [npm, "exec", "--yes", "--prefer-offline", "--package=openapi-typescript@7", "--package=typescript@5", "--"]
    made = _run([*tools, "openapi-typescript", str(document), "-o", "api.d.ts"], tmp_path)
    if made.returncode and ("ENOTFOUND" in made.stderr or "network" in made.stderr or "EAI_AGAIN" in made.stderr):
        pytest.skip(f"npm cannot fetch the generator: {made.stderr[-200:]}")
    assert made.returncode == 0, made.stdout + made.stderr
    checked = _run(
        [*tools, "tsc", "--noEmit", "--strict", "--skipDefaultLibCheck", "--lib", "es2022", "use.ts", "api.d.ts"],
        tmp_path,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=55)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not fetch the generator in time")
