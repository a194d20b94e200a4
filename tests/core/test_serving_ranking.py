"""A search finds things by their words: rare words and names weigh more, beginnings and near misses less."""

from hypothesis import given
from hypothesis import strategies as st

from aob.core.serving import Ranking, Thing

THINGS = [
    Thing("metric", "revenue", "Money taken", "money taken for orders in EUR, by region", "/1"),
    Thing("metric", "refund_rate", "Share of refunds", "refunds for each order", "/2"),
    Thing("event", "order.refunded", "Money given back", "an order was refunded; amount reason", "/3"),
    Thing("event", "order.created", "An order was placed", "customer_id amount currency", "/4"),
    Thing("dimension", "region", "a dimension of revenue", "revenue", "/5"),
]
RANKING = Ranking(THINGS)


def names(words: str, **more: object) -> list[str]:
    return [thing.name for thing, _, _ in RANKING.find(words, **more)]  # type: ignore[arg-type]  # keywords of find


def test_the_name_of_a_thing_finds_it_first() -> None:
    for thing in THINGS:
        assert names(thing.name)[0] == thing.name


def test_words_of_the_text_find_it() -> None:
    assert names("currency") == ["order.created"]
    assert names("customer") == ["order.created"]


def test_the_beginning_of_a_word_finds_it_and_a_whole_word_is_better() -> None:
    assert set(names("refund")) >= {"refund_rate", "order.refunded"}
    assert names("refund")[0] == "refund_rate"


def test_a_word_written_wrong_finds_the_nearest() -> None:
    assert names("revenu")[0] == "revenue"
    assert names("curency") == ["order.created"]


def test_two_words_are_better_than_one() -> None:
    assert names("order refunded")[0] == "order.refunded"


def test_a_kind_keeps_the_others_out_and_a_limit_cuts() -> None:
    assert set(names("order", kind="event")) == {"order.created", "order.refunded"}
    assert len(names("order", limit=1)) == 1


def test_nothing_finds_nothing() -> None:
    assert names("") == []
    assert names("xyzzy") == []
    assert Ranking([]).find("revenue") == []


def test_the_snippet_shows_the_word() -> None:
    thing = Thing("metric", "m", "", "a " * 200 + "needle " + "b " * 200, "/")
    ((_, _, snippet),) = Ranking([thing]).find("needle")
    assert "needle" in snippet
    assert len(snippet) < 200


@given(st.text(max_size=40), st.integers(1, 5))
def test_any_words_give_things_in_order_of_their_score(words: str, limit: int) -> None:
    found = RANKING.find(words, limit=limit)
    scores = [score for _, score, _ in found]
    assert scores == sorted(scores, reverse=True)
    assert len(found) <= limit
    assert all(score > 0 for score in scores)
