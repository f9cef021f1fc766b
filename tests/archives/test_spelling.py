"""One spelling for an account, whatever archives write and in whatever order they come."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bladecheck.archives.spelling import Spellings

WRITTEN = ("AnytownPolice", "anytownpolice", "ANYTOWNPOLICE", "anytownPolice", "otherton", "Otherton", "Anytown Police")


def chosen(written: list[str]) -> dict[str, str | None]:
    spellings = Spellings()
    for account in written:
        spellings.learn("x", account)
    return {account: spellings.of("x", account) for account in written}


@settings(max_examples=60, deadline=None)
@given(st.permutations(WRITTEN), st.lists(st.sampled_from(WRITTEN)))
def test_order_and_number_do_not_matter(order: list[str], again: list[str]) -> None:
    assert chosen([*order, *again]) == {
        **dict.fromkeys(WRITTEN[:4], "AnytownPolice"),
        **dict.fromkeys(WRITTEN[4:6], "Otherton"),
        "Anytown Police": "Anytown Police",
    }


def test_platforms_stay_apart_and_names_with_spaces_as_they_are() -> None:
    spellings = Spellings()
    spellings.learn("x", "Force")
    spellings.learn("facebook", "ANYTOWN POLICE")
    assert [spellings.of(platform, "force") for platform in ("x", "instagram", None)] == ["Force", "force", "force"]
    assert spellings.of("facebook", "Anytown Police") == "Anytown Police"
    assert spellings.of("x", None) is None


@settings(max_examples=20, deadline=None)
@given(st.permutations([("force.example", "did:plc:a"), ("did:plc:a", "did:plc:a"), ("old.example", "did:plc:a")]))
def test_a_lasting_name_is_shown_as_a_handle(order: list[tuple[str, str]]) -> None:
    spellings = Spellings()
    for account, lasting in order:
        spellings.learn("bluesky", account, lasting)
    assert spellings.of("bluesky", "did:plc:a") == "force.example"
    assert spellings.of("bluesky", "old.example") == "old.example"
    assert spellings.of("bluesky", "did:plc:b") == "did:plc:b"
