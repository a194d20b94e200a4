"""Envoy's configuration says what Envoy's own published messages know: each field, each type, each value."""

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from aob.server.http.waits import WAIT_MAX_MS
from aob.server.serve import KEEP_ALIVE_S
from tests.deploy.edge import CONFIG, ROOT

MESSAGES = ROOT / ".venv" / "envoy"
pytestmark = pytest.mark.skipif(
    not MESSAGES.is_dir(), reason="xds-protos is not installed in .venv/envoy: make test does it"
)


def configuration() -> Any:
    return yaml.safe_load(CONFIG.with_name("envoy.yaml").read_text())


def read(*documents: Any) -> list[Any]:
    """Each document as Envoy's messages have it, or `error` with what they do not know."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("envoy_reader.py")], env={**os.environ, "PYTHONPATH": str(MESSAGES)},
        input="\n".join(map(json.dumps, documents)), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_envoys_own_messages_take_the_whole_configuration() -> None:
    (told,) = read(configuration())
    assert "error" not in told, told
    (listener,), (cluster, fanout) = told["static_resources"]["listeners"], told["static_resources"]["clusters"]
    assert listener["address"]["socket_address"]["port_value"] == 443
    assert (cluster["name"], fanout["name"]) == ("api", "fanout")
    assert len(cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]) == 2


def test_a_misspelled_field_is_found_however_deep() -> None:
    wrong: list[Any] = []
    for place in range(3):
        document = copy.deepcopy(configuration())
        (listener,) = document["static_resources"]["listeners"]
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        routes = manager["route_config"]["virtual_hosts"][0]["routes"]
        (routes[0]["route"], manager["http_filters"][1]["typed_config"], manager)[place]["time_out"] = "1s"
        wrong.append(document)
    assert ["time_out" in told.get("error", "") for told in read(*wrong)] == [True, True, True]


def test_both_edges_send_a_run_to_one_api_by_the_same_part_of_the_path() -> None:
    text = CONFIG.read_text()
    assert "path_beg /v1/runs/run_" in text
    assert "^/v1/runs/(run_[^/?]+).*" in CONFIG.with_name("envoy.yaml").read_text()
    assert "/health/ready" in text


def test_the_edge_cuts_off_no_answer_that_is_waited_for_and_holds_back_no_event() -> None:
    text = CONFIG.read_text()
    seconds = {name: int(value) for name, value in re.findall(r"^ +timeout (\S+) (\d+)s$", text, re.MULTILINE)}
    assert min(seconds["client"], seconds["server"]) > WAIT_MAX_MS / 1_000
    assert seconds["http-keep-alive"] < KEEP_ALIVE_S, "the edge ends an idle connection before the API does"
    assert "\n    option http-no-delay\n" in text
