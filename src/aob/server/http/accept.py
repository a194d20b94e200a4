"""Content negotiation: picks the media type that a caller prefers."""

from collections.abc import Sequence


def accepted(accept: str | None, offered: Sequence[str]) -> str:
    """The offered media type that `Accept` ranks highest; earlier ones win ties; the first is used when the
    header is not understood."""
    best, best_rank = offered[0], 0.0
    for media in offered:
        rank = _rank(accept or "*/*", media)
        if rank > best_rank:
            best, best_rank = media, rank
    return best


def _rank(accept: str, media: str) -> float:
    """The weight of the most specific range that contains a media type (RFC 9110, 12.5.1); 0 when none does."""
    kind = media.partition("/")[0]
    found, found_depth = 0.0, 0
    for each in accept.lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        depth = {"*/*": 1, f"{kind}/*": 2, media: 3}.get(name, 0)
        if depth > found_depth:
            found, found_depth = _weight(parameters), depth
    return found


def _weight(parameters: list[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
