"""The table of routes, its dispatch, and the OpenAPI document that is made of it."""

from aob.server.http.answer import DIRECT
from aob.server.http.app import App
from aob.server.http.headers import secret_of
from aob.server.http.openapi import openapi
from aob.server.http.route import Route, Table

__all__ = ["DIRECT", "App", "Route", "Table", "openapi", "secret_of"]
