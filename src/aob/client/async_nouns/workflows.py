"""Workflows: push, list, show, compare, patch a tag, validate. One request each, with typed answers."""

import msgspec

from aob.client.async_wire import AsyncWire
from aob.client.request import media_of, name_in, part
from aob.core.answers import JsonObject, TagPatched, Validated, WorkflowPushed
from aob.core.errors import Invalid, Problem


class Workflows(AsyncWire):
    """Calls about workflows."""

    async def push(self, document: JsonObject | bytes, *, name: str | None = None, tag: str = "main") -> WorkflowPushed:
        """Store a document (a dict, or JSON or YAML bytes) and tag it. `name` is the document's own by default."""
        data = document if isinstance(document, bytes) else msgspec.json.encode(document)
        named = name or name_in(document)
        if not named:
            problems = (await self.validate(document))["problems"]
            nameless = [Problem("/workflow", "has no name", hint="workflow: NAME, or say a name beside the document")]
            raise Invalid("the document cannot be stored", msgspec.convert(problems, list[Problem]) or nameless)
        found: WorkflowPushed = await self._call(
            "PUT", f"/v1/workflows/{part(named)}", query={"tag": tag}, content=data, media=media_of(data)
        )
        return found

    async def validate(self, document: JsonObject | bytes) -> Validated:
        """Every problem of a document; it is not stored."""
        data = document if isinstance(document, bytes) else msgspec.json.encode(document)
        found: Validated = await self._call("POST", "/v1/workflows:validate", content=data, media=media_of(data))
        return found

    async def patch_tag(self, name: str, body: JsonObject, *, tag: str = "main") -> TagPatched:
        """Patch a tag for later runs: `{"operations": [...], "base"?, "reason"?, "id"?}`."""
        found: TagPatched = await self._call("POST", f"/v1/workflows/{part(name)}/patch", query={"tag": tag}, body=body)
        return found
