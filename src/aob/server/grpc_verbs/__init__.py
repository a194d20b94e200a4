"""The verbs over gRPC: a call is the HTTP request of the same operation, and what comes back its answer.

Takes messages of spec/aob.proto, gives messages; rights, limits and errors are those of the HTTP application."""

from aob.server.grpc_verbs.service import method_of, verb_handlers

__all__ = ["method_of", "verb_handlers"]
