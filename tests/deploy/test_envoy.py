"""Envoy's configuration says what Envoy's own published messages know: each field, each type, each value."""

import copy
import importlib
from typing import Any

import pytest
import yaml

from tests.deploy.edge import CONFIG

bootstrap = pytest.importorskip("envoy.config.bootstrap.v3.bootstrap_pb2", reason="xds-protos is not installed")
json_format = pytest.importorskip("google.protobuf.json_format")
TYPES = (
    "envoy.extensions.transport_sockets.tls.v3.tls_pb2",
    "envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2",
    "envoy.extensions.filters.http.json_to_metadata.v3.json_to_metadata_pb2",
    "envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2",
    "envoy.extensions.filters.http.router.v3.router_pb2",
)
"""What `@type` names has to be known before it is read."""


def configuration() -> Any:
    return yaml.safe_load(CONFIG.with_name("envoy.yaml").read_text())


def read(document: Any) -> Any:
    for name in TYPES:
        importlib.import_module(name)
    return json_format.ParseDict(document, bootstrap.Bootstrap())


def test_envoys_own_messages_take_the_whole_configuration() -> None:
    told = read(configuration())
    (listener,), (cluster,) = told.static_resources.listeners, told.static_resources.clusters
    assert (listener.address.socket_address.port_value, cluster.name) == (443, "api")
    assert len(cluster.load_assignment.endpoints[0].lb_endpoints) == 2


def test_a_misspelled_field_is_found_however_deep() -> None:
    (listener,) = configuration()["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    hosts = manager["route_config"]["virtual_hosts"]
    for part in (hosts[0]["routes"][0]["route"], manager["http_filters"][1]["typed_config"], manager):
        kept = copy.deepcopy(part)
        part["time_out"] = "1s"
        with pytest.raises(json_format.ParseError, match="time_out"):
            read({"static_resources": {"listeners": [listener]}})
        part.clear()
        part.update(kept)
    read({"static_resources": {"listeners": [listener]}})


def test_both_edges_send_a_run_to_one_api_by_the_same_part_of_the_path() -> None:
    text = CONFIG.read_text()
    assert "path_beg /v1/runs/run_" in text
    assert "^/v1/runs/(run_[^/?]+).*" in CONFIG.with_name("envoy.yaml").read_text()
    assert "/health/ready" in text
