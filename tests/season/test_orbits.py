"""Orbits are pysat's, row for row."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings

from helio_burst.errors import InputError
from helio_burst.season import Orbits, Rows, Walk, orbit_breaks
from helio_burst.season.orbits import DAY
from tests.season.conftest import PysatMaker
from tests.season.random_seasons import FIRST, Season, seasons, times

pytestmark = pytest.mark.filterwarnings("ignore:Metadata for variables:UserWarning")

# pysat itself fails so where its own lists of breaks are empty or too short.
PYSAT_GIVES_UP = (TypeError, ValueError, RuntimeError, IndexError)


def pysats_orbits(instrument: Any) -> list[tuple[int, np.ndarray]]:
    return [
        (pd.Timestamp(orbit.date).value // DAY, orbit.index.to_numpy().astype("M8[ns]").astype(np.int64))
        for orbit in instrument.orbits
    ]


def is_pysats(season: Season, orbits: Orbits, instrument: Any) -> bool:
    """Compare each orbit; False where pysat itself fails."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # pysat takes the median of a single row's steps
            theirs = pysats_orbits(instrument)
    except PYSAT_GIVES_UP:
        return False
    found = list(Walk(season.days.get, FIRST, season.last, orbits))
    assert [orbit.day for orbit in found] == [day for day, _ in theirs]
    for orbit, (_, rows) in zip(found, theirs, strict=True):
        np.testing.assert_array_equal(times(season.days, orbit.pieces), rows)
    return True


@pytest.mark.parametrize(
    ("orbits", "kind", "examples"),
    [
        (Orbits(), "longitude", 80),
        (Orbits(kind="local time", period="99min"), "local time", 20),
        (Orbits(kind="latitude"), "polar", 20),
    ],
)
def test_orbits_are_pysats(pysat_of: PysatMaker, orbits: Orbits, kind: str, examples: int) -> None:
    compared = []

    @settings(max_examples=examples)
    @given(season=seasons())
    def check(season: Season) -> None:
        assume(season.days)
        info = {"kind": kind, "index": orbits.variable, "period": orbits.period}
        compared.append(is_pysats(season, orbits, pysat_of(season.days, FIRST, season.number, **info)))

    check()
    assert sum(compared) > 0.9 * examples


def test_orbits_by_period_are_those_of_an_orbit_number(pysat_of: PysatMaker) -> None:
    since, period = pd.Timestamp("2000-01-01").value, pd.Timedelta("97min")
    compared = []

    @settings(max_examples=20)
    @given(season=seasons(longest=4))
    def check(season: Season) -> None:
        assume(season.days)
        numbered = {
            day: Rows(rows.time, {**rows.values, "orbit": (rows.time - since) // period.value})
            for day, rows in season.days.items()
        }
        theirs = pysat_of(numbered, FIRST, season.number, kind="orbit", index="orbit", period=period)
        by_number = Orbits(kind="orbit")
        compared.append(is_pysats(Season(numbered, season.number, season.blocks), by_number, theirs))
        expected = list(Walk(numbered.get, FIRST, season.last, by_number))
        assert list(Walk(season.days.get, FIRST, season.last, Orbits(kind="period"))) == expected

    check()
    assert sum(compared) > 15


def test_a_season_without_rows_has_no_orbits() -> None:
    assert list(Walk(lambda day: None, FIRST, FIRST + 3, Orbits())) == []


def test_a_single_row_is_an_orbit() -> None:
    assert orbit_breaks(np.array([0]), np.array([10.0], np.float32)).tolist() == [0]


def test_times_may_be_datetime64() -> None:
    time = np.arange("2010-05-09", "2010-05-10", 60, dtype="datetime64[s]").astype("datetime64[ns]")
    longitude = np.arange(1440) / 100 * 360 % 360
    assert orbit_breaks(time, longitude).tolist() == list(range(0, 1440, 100))
    assert orbit_breaks(time, kind="period", period="12h").tolist() == [0, 720]


def test_no_rows_cannot_be_cut() -> None:
    with pytest.raises(InputError, match="no samples"):
        orbit_breaks(np.array([], np.int64), np.array([]))


def test_the_variable_is_needed() -> None:
    with pytest.raises(InputError, match="only 'period' does without"):
        orbit_breaks(np.arange(5))


@pytest.mark.parametrize("period", ["-97min", "0s", "ninety", "NaT", "97", 97, 97.0])
def test_wrong_periods_are_refused(period: object) -> None:
    with pytest.raises(InputError, match=r"period.*(longer than nothing|length of time)"):
        Orbits(period=period)


def test_a_hopeless_period_is_named() -> None:
    """With a period of two days a day without any jump must be a whole orbit and cannot."""
    step = 60
    days = {
        FIRST + day: Rows(
            np.arange(0, 86400, step) * 10**9 + (FIRST + day) * DAY,
            {"longitude": np.linspace(day * 10, day * 10 + 9, 86400 // step).astype(np.float32)},
        )
        for day in range(4)
    }
    with pytest.raises(InputError, match="No orbit ends between"):
        list(Walk(days.get, FIRST, FIRST + 4, Orbits(period="2D")))
