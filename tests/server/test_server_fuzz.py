"""Every route of the real engine, fuzzed from its own OpenAPI document: no 5xx, no answer that was not promised."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Final

import aob
from aob.compose.layout import Layout
from aob.compose.shards import Owners
from aob.core.policy import LOCAL
from aob.server import create_app, serving

EXAMPLES: Final = 5
CHECKS: Final = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "ignored_auth",
)  # fmt: skip
ENDLESS: Final = "follow_.*|stream_events"
"""Feeds go on: they have tests of their own."""


async def test_no_request_breaks_the_server_or_gets_an_answer_that_was_not_promised(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as home:
        nodes = {"a": {"kind": "wait", "config": {"message": "go"}}}
        await home.push({"workflow": "order", "nodes": nodes})
        await home.start("order", {})
        key = (await home.views.create_key(LOCAL, "fuzz", ("admin",)))["secret"]
        async with (
            Owners(home, (), Layout.of(1)) as owners,
            serving(create_app(home.views, home.metrics, owners.home, metrics_text=lambda as_open: b"1\n")) as url,
        ):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--header", f"X-API-Key: {key}",
                "--max-examples", str(EXAMPLES), "--phases", "fuzzing", "--checks", ",".join(CHECKS),
                "--exclude-operation-id-regex", ENDLESS, "--request-timeout", "10", "--no-color", "--seed", "1",
                cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-6_000:]
    assert re.search(rb"Tested: [89]\d\n", said), said.decode()[-2_000:]
