"""The table of routes, its dispatch, and the OpenAPI document that is made of it."""

from aob.server.http.app import App
from aob.server.http.openapi import openapi
from aob.server.http.route import Route, Table

__all__ = ["App", "Route", "Table", "openapi"]
