"""Reads a configuration of Envoy from standard input as Envoy's own messages, and prints it as they have it.

Run as a program of its own, with Envoy's messages before all others: some have the names of OpenTelemetry's."""

import importlib
import json
import sys

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

TYPES = (
    "envoy.extensions.transport_sockets.tls.v3.tls_pb2",
    "envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2",
    "envoy.extensions.filters.http.json_to_metadata.v3.json_to_metadata_pb2",
    "envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2",
    "envoy.extensions.filters.http.router.v3.router_pb2",
)
"""What `@type` names has to be known before it is read."""

if __name__ == "__main__":
    for name in TYPES:
        importlib.import_module(name)
    bootstrap = importlib.import_module("envoy.config.bootstrap.v3.bootstrap_pb2")
    for line in sys.stdin:
        try:
            told = MessageToDict(ParseDict(json.loads(line), bootstrap.Bootstrap()), preserving_proto_field_name=True)
        except ParseError as error:
            told = {"error": str(error)}
        print(json.dumps(told))
