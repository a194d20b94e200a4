"""Verbs of workflows: push, list, show and compare documents; makes artifacts and tags."""

import asyncio
from typing import Any

from msgspec import Raw

from aob.core.answers import JsonObject
from aob.core.errors import Conflict, Invalid, NotFound, Problem
from aob.core.graph import Handlers, artifact_hash, check, load, normalise
from aob.core.graph.patch import apply, compile_operations, diff, read_operations, render
from aob.core.policy import Caller, Verdict, review_patch
from aob.core.rights import require, unheld_roles
from aob.core.value import Cell, canonical, decode, digest_of
from aob.core.verb import NoArgs, performs
from aob.core.verbs import workflow_verbs as verbs
from aob.journal import Decided
from aob.runs.core import Core, only_name, wrong_name
from aob.runs.graphs import Versions, check_known, overlay_key
from aob.runs.incoming import NAME_MAX, json_of, name_of, object_of, tag_of, text_of
from aob.runs.laws import catalog, keyring


class Workflows:
    """Verbs of workflows."""

    core: Core

    @performs(verbs.VALIDATE)
    async def validate(self, who: Caller, args: verbs.ValidateDocument) -> list[Problem]:
        """Every problem of a document at once. Raises Malformed when it is neither JSON nor YAML, Unavailable
        `workers_coming`."""
        rules, handlers = self.core.newest_rules(), self.core.handlers.of(who.tenant)
        try:
            _, problems = await asyncio.to_thread(_judged, args.document, None, handlers, rules)
        except Invalid as invalid:
            return list(invalid.problems)
        check_known(handlers, problems)
        return problems

    @performs(verbs.PUSH)
    async def push(self, who: Caller, args: verbs.PushWorkflow) -> JsonObject:
        """Check a document, store it under its hash and move a tag to it. Raises Invalid with every problem,
        Unavailable `workers_coming`."""
        rules = min(args.rules, self.core.newest_rules())
        handlers = self.core.handlers.of(who.tenant)
        canonical_form, problems = await asyncio.to_thread(_judged, args.document, args.name, handlers, rules)
        tag = tag_of(args.tag)
        check_known(handlers, problems)
        if problems:
            raise Invalid(f"the workflow has {len(problems)} problem{'s'[: len(problems) > 1]}", problems)
        title = str(canonical_form["workflow"])
        data = canonical(canonical_form)
        artifact = artifact_hash(canonical_form)
        stream = _stream(who, title)
        command = catalog.Push(artifact, data, digest_of(data), tag, who.name, rules, who.id)
        self.core.values.remember(who.tenant, command.digest, data)
        decided = await self.core.journal.ask(
            stream, command, reads=lambda now: now.stream.state.artifacts[(artifact, rules)].version
        )
        elsewhere = self.core.roles_elsewhere.get(who.tenant, frozenset())
        held = keyring.held_roles(self.core.key_law.ring, who.tenant) | elsewhere
        return {
            "workflow": title, "artifact": artifact, "version": decided.said, "tag": tag,
            "created": any(isinstance(event, catalog.ArtifactPushed) for event in decided.events),
            "warnings": [
                f"no key has the role `{role}`" + (f": did you mean `{near}`?" if near else
                f", so that only an admin decides: aob key create NAME --role {role}")
                for role, near in unheld_roles(canonical_form, held)
            ],
        }  # fmt: skip

    @performs(verbs.LIST)
    async def workflows(self, who: Caller, args: NoArgs) -> list[JsonObject]:
        """All workflows of the tenant, with their tags."""
        self.core.journal.check()
        found = [stream.state for stream in self.core.catalog(who.tenant)]
        return [_told(state) for state in sorted(found, key=lambda state: state.name)]

    @performs(verbs.SHOW)
    async def workflow(self, who: Caller, args: verbs.ShowWorkflow) -> JsonObject:
        """One version, by tag or artifact, with its document as its runs see it."""
        state = self.state_of(who, args.name)
        at = _pointed(state, args.tag)
        document = await self.document(who, at)
        return {**_told(state), "artifact": at.artifact, "version": at.version, "tag": args.tag, "document": document}

    @performs(verbs.DIFF)
    async def diff(self, who: Caller, args: verbs.DiffWorkflow) -> JsonObject:
        """The changes from `a` to `b`, each a tag or an artifact."""
        name, a, b = args.name, args.a, args.b
        state = self.state_of(who, name)
        before = await self.document(who, _pointed(state, a))
        after = await self.document(who, _pointed(state, b))
        difference = diff(before, after)
        return {"workflow": name, "a": a, "b": b, "diff": difference, "lines": render(difference)}

    async def document(self, who: Caller, at: catalog.Tag) -> JsonObject:
        """The document of a tag, overlays applied."""
        versions = await self.versions(who, at)
        return versions.document(len(at.overlay))

    async def versions(self, who: Caller, at: catalog.Tag) -> Versions:
        """The compiled graphs of a tag."""
        key = overlay_key(at.overlay)
        known = self.core.graphs.get(who.tenant, at.artifact, at.rules, key)
        if known is not None:
            return known
        data = await self.core.values.fetch(who.tenant, bytes.fromhex(at.artifact.removeprefix("sha256:")))
        return await asyncio.to_thread(self.core.graphs.make, who.tenant, at.artifact, at.rules, decode(data), key)

    @performs(verbs.PATCH_TAG)
    async def patch_tag(self, who: Caller, args: verbs.PatchTag) -> JsonObject:
        """Add an overlay to a tag: later runs under it get it, running ones keep their graph. A change that needs a
        person waits under a ticket (`state` is `proposed`).

        `base` is the hash of the graph it was written against (`graph` of an earlier answer); the same `id` again gives
        the same answer. Raises Invalid with every problem, Conflict `tag_moved` or `patch_exists`, TooLarge. Pushing a
        document on the tag again removes all its overlays."""
        tag = args.tag
        kind, base = text_of(args.kind, "/kind", NAME_MAX), text_of(args.base, "/base", NAME_MAX)
        if kind in self.core.run_law.rules.trusted_kinds and kind != "person":
            require(who, "admin")  # as for patches of runs: not every caller may claim a trusted kind
        state = self.state_of(who, args.name)
        if tag not in state.tags:
            raise NotFound(f"{state.name} has no tag {str(tag)[:64]!r}", code="tag_not_found",
                           hint=f"a version never changes; tags: {', '.join(sorted(state.tags))}")  # fmt: skip
        asked = json_of(args.operations, "/operations")
        digest = digest_of(asked).hex()
        at, id = state.tags[tag], name_of(args.id, "/id", empty=True)
        done = catalog.same_patch(state, id, tag, digest)
        if done is None:
            versions = await self.versions(who, at)
            _based(tag, versions.ir(len(at.overlay)).hash, base)
            compiled, verdict = await asyncio.to_thread(
                self._reviewed, who.tenant, versions, read_operations(asked, size=len(asked)), kind
            )
            command = catalog.Overlay(tag, at.artifact, at.overlay, compiled, who.name,
                                      text_of(args.reason, "/reason"), id, digest, who.id)  # fmt: skip
            if verdict.needs_person and not args.agreed:
                return await self._asked(who, args.name, versions, command, verdict)
            decided = await self.core.journal.ask(
                _stream(who, args.name), command,
                reads=lambda now: now.stream.state.patches[id] if id else now.events[-1],
            )  # fmt: skip
            done = decided.said
        return await self._tag_told(who, args.name, done)

    def _reviewed(
        self, tenant: str, versions: Versions, operations: list[JsonObject], kind: str
    ) -> tuple[Cell, Verdict]:  # fmt: skip
        """The compiled operations after all checks, and whether a person has to approve."""
        before = versions.document(len(versions) - 1)
        data = canonical(compile_operations(before, operations))
        compiled = read_operations(data, size=len(data))
        problems: list[Problem] = []
        try:
            versions.extended(compiled)
        except Invalid as invalid:
            problems.extend(invalid.problems)
        law = self.core.run_law
        verdict = review_patch(before, apply(before, compiled), caller_kind=kind, rules=law.rules, agents_used=0,
                               handler_effects=law.effects_of(tenant), tagged=True)  # fmt: skip
        problems.extend(verdict.problems)
        if problems:
            raise Invalid("the patch cannot be applied", problems)
        return Raw(data), verdict

    async def _asked(
        self, who: Caller, name: str, versions: Versions, overlay: catalog.Overlay, verdict: Verdict
    ) -> JsonObject:
        """Opens the ticket for a patch of a tag that needs a person."""
        before = versions.document(len(versions) - 1)
        difference = diff(before, apply(before, decode(overlay.operations)))
        text = (f"{who.name} wants to change {overlay.tag} of {name} ({'; '.join(verdict.reasons)}): "
                f"{overlay.reason or 'no reason given'}")  # fmt: skip
        command = catalog.Ask(overlay, text, canonical(difference), verdict.roles, verdict.barred,
                              self.core.run_law.rules.version)  # fmt: skip

        def reads(decided: Decided) -> tuple[str, catalog.Tag]:
            state: catalog.Workflow = decided.stream.state
            return catalog.ticket_of(state, overlay), state.tags[overlay.tag]

        ticket, at = (await self.core.journal.ask(_stream(who, name), command, reads=reads)).said
        return {
            "workflow": name, "tag": overlay.tag, "artifact": at.artifact, "version": at.version, "state": "proposed",
            "ticket": ticket, "reasons": list(verdict.reasons), "graph": versions.ir(len(at.overlay)).hash,
            "diff": difference, "lines": render(difference),
        }  # fmt: skip

    async def _tag_told(self, who: Caller, name: str, done: catalog.TagMoved) -> JsonObject:
        count = len(done.overlay)
        versions = await self.versions(who, catalog.Tag(done.artifact, done.version, done.rules, done.overlay))
        difference = diff(versions.document(count - 1), versions.document(count))
        return {
            "workflow": name, "tag": done.tag, "artifact": done.artifact, "version": done.version, "state": "applied",
            "graph": versions.ir(count).hash, "diff": difference, "lines": render(difference),
        }  # fmt: skip

    def state_of(self, who: Caller, name: str) -> catalog.Workflow:
        """A workflow of the tenant. Raises NotFound that lists the known ones."""
        self.core.journal.check()
        stream = self.core.journal.streams.get(_stream(who, name))
        if stream is None or not stream.seq:
            raise wrong_name(name, self.names(who))
        state: catalog.Workflow = stream.state
        return state

    def only(self, who: Caller, tag: str) -> str:
        """The workflow of a start without a name. Raises CallerError `workflow_missing`."""
        self.core.journal.check()
        return only_name({each.state.name: each.state.tags for each in self.core.catalog(who.tenant)}, tag)

    def names(self, who: Caller) -> list[str]:
        """Names of the tenant's workflows."""
        self.core.journal.check()
        return [stream.state.name for stream in self.core.catalog(who.tenant)]


def _read(document: JsonObject | bytes) -> tuple[JsonObject, Any]:
    if not isinstance(document, bytes):
        return normalise(object_of(document, "")), None
    loaded = load(document)
    return normalise(loaded.tree), loaded.places


def _judged(
    document: JsonObject | bytes, name: str | None, handlers: Handlers, rules: int
) -> tuple[JsonObject, list[Problem]]:
    """The canonical form of a document, renamed if a name is given, and its problems. Runs in a thread."""
    canonical_form, places = _read(document)
    if name:
        canonical_form = {**canonical_form, "workflow": name}
    return canonical_form, list(check(canonical_form, handlers, places=places, rules=rules))


def _stream(who: Caller, name: str) -> str:
    return f"workflow/{who.tenant}/{name}"


def _based(tag: str, graph: str, base: str) -> None:
    if base and base != graph:
        raise Conflict(f"the patch was written against another graph than {tag} names now", code="tag_moved",
                       hint="look at the workflow again and write the patch against it", graph=graph)  # fmt: skip


def _pointed(state: catalog.Workflow, tag: str) -> catalog.Tag:
    if tag in state.tags:
        return state.tags[tag]
    for known in reversed(state.artifacts.values()):  # the newest rules of a hash
        if tag in (known.artifact, known.version):
            return catalog.Tag(known.artifact, known.version, known.rules)
    versions = ", ".join(artifact.version for artifact in state.artifacts.values())
    hint = f"tags: {', '.join(sorted(state.tags))}; versions: {versions}"
    raise NotFound(f"{state.name} has no tag or version {tag!r}", code="tag_not_found", hint=hint)


def _told(state: catalog.Workflow) -> JsonObject:
    return {
        "workflow": state.name,
        "tags": {tag: {"artifact": at.artifact, "version": at.version} for tag, at in sorted(state.tags.items())},
        "artifacts": [
            {"artifact": a.artifact, "version": a.version, "by": a.by, "at": a.at_ms, "rules": a.rules}
            for a in state.artifacts.values()
        ],
    }  # fmt: skip
