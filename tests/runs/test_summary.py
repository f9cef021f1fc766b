"""Raw counts: whose month, per picture, per distinct picture, per post; reposts apart."""

from __future__ import annotations

from typing import Any

import pytest

from bladecheck.errors import RunError
from bladecheck.runs.columns import Row
from bladecheck.runs.report.facts import months, years
from bladecheck.runs.rows import BLANK
from bladecheck.runs.summary import Summary, month, summarise, zone


def row(number: int, **fields: Any) -> Row:
    """A scored row without a knife."""
    base = {"row_id": f"{number:02x}" * 16, "cluster": f"{number:02x}" * 32, "status": "ok", "decision": "clear"}
    base |= {"platform": "x", "post_id": str(number), "posted_at": "2024-01-15T09:00:00Z", "account": "force"}
    return {**BLANK, "is_repost": False, **base, **fields}


def total(*rows: Row) -> dict[str, Any]:
    return summarise(rows).lines()[-1]


@pytest.mark.parametrize(
    ("moment", "where", "expected"),
    [
        ("2024-03-31T23:30:00Z", "UTC", "2024-03"),
        ("2024-03-31T23:30:00Z", "Europe/London", "2024-04"),
        ("2024-12-31T23:30:00Z", "Europe/London", "2024-12"),
        ("2024-12-31T23:30:00Z", "Europe/Paris", "2025-01"),
        (None, "UTC", "unknown"),
    ],
)
def test_month_is_that_of_the_zone(moment: str | None, where: str, expected: str) -> None:
    assert month({"posted_at": moment, "posted_at_source": "field"}, zone(where)) == expected


@pytest.mark.parametrize("where", ["UTC", "Europe/London", "America/New_York", "Pacific/Kiritimati"])
def test_a_day_without_a_time_is_in_its_month_in_every_zone(where: str) -> None:
    for day in ("2024-05-01", "2024-05-31"):
        assert month({"posted_at": f"{day}T00:00:00Z", "posted_at_source": "day"}, zone(where)) == "2024-05"


def test_unknown_zone_is_refused() -> None:
    with pytest.raises(RunError, match="Europe/London"):
        Summary("London")


def test_three_ways_to_count() -> None:
    same = "f" * 64
    found = total(
        row(1, decision="hold", cluster=same),
        row(2, decision="hold", cluster=same, post_id="1"),
        row(3, decision="check", cluster=same),
        row(4, decision="clear", post_id="3"),
        row(5, decision="check", post_id=None),
    )
    assert (found["scored"], found["hold"], found["check"], found["clear"]) == (5, 2, 2, 1)
    assert (found["distinct"], found["distinct_hold"], found["distinct_check"]) == (3, 1, 1)
    assert (found["posts"], found["posts_hold"], found["posts_check"]) == (3, 1, 2)
    assert found["share_hold"] == 0.4


@pytest.mark.parametrize(
    ("other", "posts"), [({}, 1), ({"account": "county"}, 2), ({"platform": "facebook"}, 2), ({"post_id": "2"}, 2)]
)
def test_a_post_is_one_accounts_post_on_one_platform(other: dict[str, Any], posts: int) -> None:
    """Numbers of posts are only unique within a platform: two accounts' post 1 are two posts, in the total too."""
    found = total(row(1, post_id="1", decision="hold"), row(2, **{"post_id": "1", "decision": "hold", **other}))
    assert (found["posts"], found["posts_hold"]) == (posts, posts)


def test_reposts_are_counted_apart() -> None:
    found = total(row(1), row(2, is_repost=True, decision="hold"))
    assert (found["pictures"], found["hold"], found["reposts"], found["reposts_hold"]) == (1, 0, 1, 1)


def test_every_row_is_accounted_for() -> None:
    statuses = ["ok", "failed", "remote", "missing_media", "video_skipped", "not_an_image"]
    found = total(*(row(number, status=status) for number, status in enumerate(statuses)))
    assert found["pictures"] == 6
    assert [found[name] for name in ("scored", "failed", "not_available", "not_pictures")] == [1, 1, 2, 2]


def test_nothing_scored_has_no_share() -> None:
    assert total(row(1, status="remote", decision=None))["share_hold"] is None


def test_lines_by_month_and_account_then_all() -> None:
    rows = [row(1), row(2, account=None), row(3, posted_at="2023-05-01T00:00:00Z"), row(4, posted_at=None)]
    lines = summarise(rows).lines()
    assert [(line["month"], line["account"]) for line in lines] == [
        ("2023-05", "force"), ("2024-01", "force"), ("2024-01", "unknown"), ("unknown", "force"), ("all", "all"),
    ]  # fmt: skip


def test_what_run_json_counts() -> None:
    """An exact copy is no near one too; distinct pictures are those that were scored; kinds are of what is held."""
    same = "f" * 64
    summary = summarise(
        [
            row(1, decision="hold", kind="zombie", cluster=same),
            row(2, decision="hold", cluster=same, duplicate_of="01" * 16, near_duplicate_of="01" * 16),
            row(3, cluster=same, near_duplicate_of="01" * 16),
            row(8, cluster=same, near_duplicate_of="01" * 16),
            row(4, kind="kitchen", decision="check"),
            row(5, status="failed", decision="cannot_judge", error_code="broken"),
            row(6, status="remote", decision=None),
            row(7, status="video_skipped", decision=None),
        ]
    )
    assert summary.counts() == {
        "rows": 8,
        "status": {"failed": 1, "ok": 5, "remote": 1, "video_skipped": 1},
        "decision": {"cannot_judge": 1, "check": 1, "clear": 2, "hold": 2, "none": 2},
        "exact_duplicates": 1,
        "near_duplicates": 2,
        "distinct_pictures": 2,
        "unlike": None,
    }
    assert summary.kinds == {"zombie": 1, "not sure": 1}
    assert summary.errors == {("failed", "broken"): 1, ("remote", "remote"): 1}


def test_months_have_no_gaps_and_years_add_up() -> None:
    rows = [row(1, posted_at="2023-11-30T00:00:00Z"), row(2, posted_at="2024-02-01T00:00:00Z", decision="hold")]
    found = months(summarise([*rows, row(3, posted_at=None)]).lines())
    assert [name for name, _ in found] == ["2023-11", "2023-12", "2024-01", "2024-02", "unknown"]
    assert [cell.get("pictures", 0) for _, cell in found] == [1, 0, 0, 1, 1]
    assert [(name, cell["hold"]) for name, cell in years(found)] == [("2023", 0), ("2024", 1), ("unknown", 0)]
