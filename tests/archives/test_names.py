"""Dates and ids in file names."""

from __future__ import annotations

import pytest

from bladecheck.archives.names import date_in, stamped_post_in


@pytest.mark.parametrize(
    ("name", "moment", "source"),
    [
        ("WhatsApp Image 2024-05-01 at 9.30.15 PM.jpeg", "2024-05-01 21:30:15", "filename"),
        ("Screenshot 2024-05-01 at 12.05.00\u202fAM.png", "2024-05-01 00:05:00", "filename"),
        ("WhatsApp Image 2024-05-01 at 21.30.15.jpeg", "2024-05-01 21:30:15", "filename"),
        ("IMG_20240501_093015.jpg", "2024-05-01 09:30:15", "filename"),
        # A 12-hour clock without AM or PM: the id beside it tells.
        ("2024-04-30 11:10:00 AnytownPolice 1785446532510646272 0.jpg", "2024-04-30 23:10:00", "snowflake"),
        ("AnytownPolice_1785446532510646272_photo_2_20240430.jpg", "2024-04-30 23:10:00", "snowflake"),
        # Instagram's ids are as long; without a time that agrees they tell nothing.
        ("1985446532510646272.jpg", None, "none"),
        ("2019-03-01 10:00:00 1985446532510646272.jpg", "2019-03-01 10:00:00", "filename"),
    ],
)
def test_dates_in_names(name: str, moment: str | None, source: str) -> None:
    found, told = date_in(name)
    assert (str(found)[:19] if found else None, told) == (moment, source)


def test_account_and_place_of_an_exporters_name() -> None:
    name = "AnytownPolice_1785446532510646272_photo_2_20240430.jpg"
    assert stamped_post_in(name) == ("AnytownPolice", "1785446532510646272", 1)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        # Some tools count from 0 and put a blank before, others from 1.
        ("2024-04-30 11:10:00 AnytownPolice 1785446532510646272 0.jpg", 0),
        ("2024-04-30 11:10:00 AnytownPolice 1785446532510646272 3.jpg", 3),
        ("AnytownPolice-1785446532510646272-20240430_231000-img2.jpg", 1),
        ("AnytownPolice_1785446532510646272_20240430_231000_2.jpg", 1),
        ("20240430_1785446532510646272_p3.jpg", 2),
        ("1785446532510646272 2024-04-30 23-10-05.jpg", 0),
        ("2024-04-30 1785446532510646272.jpg", 0),
        ("[x] AnytownPolice—2024.04.30—1785446532510646272—clip2.jpg", 0),
        # Nothing, or another day, speaks for an id of X.
        ("AnytownPolice-1785446532510646272-01.jpg", None),
        ("2019.04.30 1785446532510646272 x.jpg", None),
    ],
)
def test_ids_beside_a_time_or_a_day(name: str, place: int | None) -> None:
    found = stamped_post_in(name)
    assert found == (None if place is None else (None, "1785446532510646272", place))
