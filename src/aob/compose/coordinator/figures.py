"""How a member is: for its probes, and for Prometheus."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from aob.compose.cluster import Holder
from aob.compose.coordinator.coordinator import Coordinator
from aob.compose.coordinator.part import Part
from aob.compose.metrics import Exposition
from aob.compose.network.certificates import ends_of
from aob.compose.shared import Shared
from aob.core.answers import JsonObject
from aob.core.cluster import MAIN

STARTING: Final = "starting"


class Figures:
    """Of one member."""

    def __init__(self, holder: Holder[Part], coordinator: Coordinator, shared: Shared) -> None:
        self._holder, self._coordinator, self._shared = holder, coordinator, shared
        self._exposition: tuple[object, Exposition] | None = None

    def state(self) -> JsonObject:
        """Its shards, and whether it may be given work: it is a member, and what it has is open. One that waits for
        shards is ready too."""
        held, parts, member = self._holder.held, self._coordinator.parts, self._holder.member
        opening = sorted(held.keys() - parts.keys())
        status = STARTING if opening or not self._holder.standing_s else "ok"
        if held and not any(each.tenure.acts for each in held.values()):
            status = "without a lease"
        return {
            "status": status, "member": member.id, "address": member.address, "roles": list(member.roles),
            "shards": sorted(parts), "opening": {str(shard): self._told(shard) for shard in opening},
            "main": MAIN in parts,
        }  # fmt: skip

    def _told(self, shard: int) -> JsonObject:
        opening = self._coordinator.opening.get(shard)
        return {} if opening is None else dict(opening.told())

    def text(self) -> bytes:
        """The text of `GET /metrics`."""
        main = self._coordinator.main
        lines = "\n".join((*self._lines(), *self._attached(), *self._of_journal(main is None))).encode() + b"\n"
        if main is None or main.wiring is None:
            return lines
        if self._exposition is None or self._exposition[0] is not main:
            wiring, folder = main.wiring, main.settings.certs_folder(main.home)
            self._exposition = main, Exposition(
                wiring.telemetry.stages, wiring.figures, self._journal, wiring.unmoved, main.views.core.replaced,
                lambda: ends_of(folder),
                gateway.figures if (gateway := self._shared.gateway) is not None else list,
            )  # fmt: skip
        return self._exposition[1].text() + lines

    def _journal(self) -> JsonObject:
        """The numbers of all journals here, together."""
        total = Counter[str]()
        for part in self._coordinator.parts.values():
            total.update(dict(part.views.core.journal.stats.items()))
        return dict(total)

    def _lines(self) -> Iterator[str]:
        held = self._holder.held
        numbers = {
            "shards": ("Shards that this member owns.", len(held)),
            "shards_open": ("Shards that are open here.", len(self._coordinator.parts)),
            "acts": ("Whether it may act on its leases.", int(any(each.tenure.acts for each in held.values()))),
            "main": ("Whether it is the home's main process.", int(MAIN in self._coordinator.parts)),
            "members": ("Members of the cluster.", len(self._coordinator.members())),
        }
        for name, (text, value) in numbers.items():
            yield from (f"# HELP aob_member_{name} {text}", f"# TYPE aob_member_{name} gauge",
                        f"aob_member_{name} {value}")  # fmt: skip
        yield from ("# HELP aob_log_lines_dropped_total Lines of handlers that could not be kept.",
                    "# TYPE aob_log_lines_dropped_total counter",
                    f"aob_log_lines_dropped_total {self._shared.logs.dropped}")  # fmt: skip

    def _attached(self) -> Iterator[str]:
        """Who asks this member for others, by release; and its workers, unless the numbers of the home have them."""
        asking = Counter((" ".join(each["roles"]), each["release"]) for told in self._shared.fronts for each in told())
        yield from ("# HELP aob_member_fronts Processes of other roles that have a link to this member.",
                    "# TYPE aob_member_fronts gauge")  # fmt: skip
        for (roles, release), count in sorted(asking.items()):
            yield f"aob_member_fronts{{roles={_quoted(roles)},release={_quoted(release)}}} {count}"
        if self._coordinator.main is not None or self._shared.gateway is None:
            return
        for name, text, values in self._shared.gateway.figures():
            yield from (f"# HELP {name} {text}", f"# TYPE {name} gauge")
            if not isinstance(values, dict):
                yield f"{name} {values}"
                continue
            for (handler, labels, build), value in sorted(values.items()):
                named = f"handler={_quoted(handler)},labels={_quoted(labels)},build={_quoted(build)}"
                yield f"{name}{{{named}}} {value}"

    def _of_journal(self, alone: bool) -> Iterator[str]:
        """Its journals, unless the numbers of the home have them."""
        for name, value in self._journal().items() if alone else ():
            total = f"aob_journal_{name}_total"
            yield from (f"# HELP {total} The journal's {name.replace('_', ' ')}.", f"# TYPE {total} counter",
                        f"{total} {value}")  # fmt: skip


def _quoted(text: str) -> str:
    """A value of a label."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
