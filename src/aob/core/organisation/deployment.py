"""Which version of an agent a key belongs to. Sticky and monotone: the same key always has the same slot, and a change
of a version's share moves keys only to this version, or only away from it. Pure."""

from hashlib import sha256
from typing import Final

from aob.core.errors import Conflict, TooLarge
from aob.core.organisation.limit import RANGES_MAX
from aob.core.organisation.parts import Deployment, KeyRange, Share

SLOTS: Final = 10_000


def slot_of(agent: str, key: str) -> int:
    """The slot of a key, 0 to 9,999: the same for ever."""
    digest = sha256(f"{agent}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) % SLOTS


def version_of(deployment: Deployment, agent: str, key: str) -> int:
    """The version that a key belongs to; 0 before there is one."""
    for each in deployment.ranges:
        if each.first <= key and (not each.end or key < each.end):
            return each.version
    slot = slot_of(agent, key)
    return next((share.version for share in deployment.shares if slot < share.end), 0)


def with_share(deployment: Deployment, version: int, slots: int) -> Deployment:
    """The deployment in which a version has so many slots. All of them: it has every key, also those of ranges. More:
    it takes them from others. Fewer: they go to its neighbour. Raises Conflict when that cannot be."""
    if slots == SLOTS:
        return Deployment((Share(version, SLOTS),))
    spans = _spans(deployment)
    at = next((place for place, span in enumerate(spans) if span[0] == version), None)
    if at is None:
        taken = [(version, 0, slots), *((each, max(first, slots), end) for each, first, end in spans)]
    elif len(spans) == 1:
        raise Conflict(f"version {version} has all keys, and no other is there to take some", code="no_room",
                       hint="deploy the other version with the share that it is to have")  # fmt: skip
    elif at == len(spans) - 1:  # the last one keeps the end of the slots, so it grows and shrinks at its beginning
        begin = SLOTS - slots
        taken = [(each, min(first, begin), min(end, begin)) for each, first, end in spans[:-1]]
        taken[-1] = (taken[-1][0], taken[-1][1], begin)
        taken.append((version, begin, SLOTS))
    else:
        first, end = spans[at][1], spans[at][1] + slots
        if end > SLOTS:
            most = f"{(SLOTS - first) / 100:g} %"
            raise Conflict(f"version {version} can have at most {most} beside the versions before it", code="no_room",
                           hint="take their share from those first, or give it 100 %")  # fmt: skip
        after = [(each, max(begins, end), ends) for each, begins, ends in spans[at + 1 :]]
        taken = [*spans[:at], (version, first, end), *after]
    return Deployment(tuple(Share(each, end) for each, first, end in taken if first < end), deployment.ranges)


def with_range(deployment: Deployment, version: int, first: str, end: str) -> Deployment:
    """The deployment in which a version has the keys from `first` on and before `end`. Raises TooLarge."""
    left = [each for each in deployment.ranges if not _covers(first, end, each)]
    if len(left) >= RANGES_MAX:
        raise TooLarge(f"a deployment has at most {RANGES_MAX} key ranges", hint="100 % for a version ends them all")
    return Deployment(deployment.shares, (KeyRange(version, first, end), *left))


def _spans(deployment: Deployment) -> list[tuple[int, int, int]]:
    begin, found = 0, []
    for share in deployment.shares:
        found.append((share.version, begin, share.end))
        begin = share.end
    return found


def _covers(first: str, end: str, other: KeyRange) -> bool:
    return first <= other.first and (not end or (bool(other.end) and other.end <= end))
