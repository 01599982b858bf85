"""Means and medians are pysatSeasons', and the same whatever the blocks."""

from __future__ import annotations

import warnings
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helio_burst.errors import BurstError, InputError
from helio_burst.season import (
    Bins,
    Orbits,
    Rows,
    Samples,
    SeasonWarning,
    average_of,
    bin_samples,
    merge,
    repair,
)
from helio_burst.season.orbits import DAY
from tests.season.conftest import PysatMaker
from tests.season.random_seasons import FIRST, Season, partition, seasons

LONGITUDE = Bins(variable="longitude", start=0, stop=360, number=12)
LATITUDE = Bins(variable="latitude", start=-13, stop=13, number=4)

pytestmark = pytest.mark.filterwarnings("ignore:Metadata for variables:UserWarning")


def full(season: Season, **options: Any) -> Samples:
    whole = partition(FIRST, season.last, FIRST, season.last)
    return bin_samples(whole, days=season.days.get, variable="dB_mer", **options)


def in_blocks(season: Season, **options: Any) -> Samples:
    def again(table: Any) -> Samples:
        return reduce(
            merge,
            [
                bin_samples(row, days=season.days.get, variable="dB_mer", **options)
                for row in table.itertuples()
            ],
        )

    parts = [
        bin_samples(partition(*block, FIRST, season.last), days=season.days.get, variable="dB_mer", **options)
        for block in season.blocks
    ]
    return repair(reduce(merge, parts[::-1]), again)


def quiet(samples: Samples, statistic: Any = "median") -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeasonWarning)  # of random orbits, whose period is random
        return average_of(samples, statistic)


@pytest.mark.parametrize("by", ["sample", "orbit", "day"])
def test_blocks_make_no_difference(by: Any) -> None:
    @settings(max_examples=20)
    @given(
        season=seasons(longest=6, cadence=120),
        axes=st.sampled_from([{"x": LONGITUDE}, {"x": LONGITUDE, "y": LATITUDE}, {}]),
        within=st.sampled_from(["mean", "median"]),
    )
    def check(season: Season, axes: Any, within: Any) -> None:
        assume(season.days and (axes or by != "sample"))
        options = {**axes, "by": by, "within": within}
        for statistic in ("mean", "median"):
            one = quiet(full(season, **options), statistic)
            other = quiet(in_blocks(season, **options), statistic)
            assert one.identical(other)

    check()


@pytest.mark.parametrize("seed", [1, 2])
def test_medians_are_pysats(pysat_of: PysatMaker, seed: int) -> None:
    """Bins are few and all filled, since pysatSeasons is slow, and stops at an empty bin in one dimension."""
    from pysatSeasons import avg

    random = np.random.default_rng(seed)
    days = {}
    for day in (FIRST, FIRST + 1):
        time = day * DAY + np.arange(0, 86400, 400) * 10**9
        values = {
            "longitude": random.uniform(0, 360, len(time)),
            "latitude": random.uniform(-14, 14, len(time)),
            "dB_mer": np.where(random.random(len(time)) < 0.1, np.nan, random.normal(size=len(time))),
        }
        days[day] = Rows(time, {name: array.astype(np.float32) for name, array in values.items()})
    season = Season(days, 2, ((FIRST, FIRST + 1), (FIRST + 1, FIRST + 2)))
    x, y = Bins(variable="longitude", start=0, stop=360, number=5), LATITUDE
    flat = avg.median1D(pysat_of(days, FIRST, 2), [0, 360, 5], "longitude", ["dB_mer"])
    wide = avg.median2D(
        pysat_of(days, FIRST, 2), [0, 360, 5], "longitude", [-13, 13, 4], "latitude", ["dB_mer"]
    )
    for theirs, axes in ((flat, {"x": x}), (wide, {"x": x, "y": y})):
        ours = quiet(in_blocks(season, **axes))
        for name in ("median", "count", "avg_abs_dev"):
            np.testing.assert_array_equal(ours[name], theirs["dB_mer"][name])


@pytest.mark.parametrize("by", ["orbit", "day"])
def test_means_by_orbit_and_day_are_pysats(pysat_of: PysatMaker, by: Any) -> None:
    from pysatSeasons import avg

    stock = avg.mean_by_orbit if by == "orbit" else avg.mean_by_day

    @settings(max_examples=8)
    @given(season=seasons(longest=3, cadence=120, most_bad=0))
    def check(season: Season) -> None:
        assume(season.days)
        with warnings.catch_warnings():
            # pysat takes means of nothing, and the median of a single row's steps.
            warnings.simplefilter("ignore", RuntimeWarning)
            theirs = stock(pysat_of(season.days, FIRST, season.number), "dB_mer")
        ours = quiet(in_blocks(season, by=by))["dB_mer"]
        np.testing.assert_array_equal(ours["time"], theirs.index.to_numpy())
        np.testing.assert_array_equal(ours, theirs.to_numpy())

    check()


def test_means_of_orbits_by_bin() -> None:
    """By hand: two orbits of 12 samples, the mean of the orbits' means in each bin."""
    minutes = np.arange(24) * 8
    values = {
        "longitude": np.tile(np.arange(12) * 30.0, 2),
        "dB_mer": np.concatenate([np.arange(12.0), np.arange(12.0) + 10]),
    }
    rows = Rows(FIRST * DAY + minutes * 60 * 10**9, values)
    season = Season({FIRST: rows}, 1, ((FIRST, FIRST + 1),))
    halves = Bins(variable="longitude", start=0, stop=360, number=2)
    result = quiet(full(season, x=halves, by="orbit", orbits=Orbits(period="90min")), "mean")
    assert result["mean"].values.tolist() == [7.5, 13.5]
    assert result["count"].values.tolist() == [2, 2]


def test_samples_need_bins() -> None:
    with pytest.raises(InputError, match="by='sample' needs bins"):
        full(Season({}, 1, ()), by="sample")
    with pytest.raises(InputError, match="bins of y but none of x"):
        full(Season({}, 1, ()), y=LATITUDE, by="orbit")


def test_a_season_without_data_is_refused() -> None:
    with pytest.raises(InputError, match="no data at all"):
        quiet(full(Season({}, 1, ()), x=LONGITUDE))


@pytest.mark.parametrize("by", ["sample", "orbit", "day"])
@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_infinite_values_are_taken_without_a_warning(by: Any, statistic: Any) -> None:
    """Warnings are errors here."""
    time = np.arange(0, 86400, 600)
    field = np.where(np.arange(len(time)) % 2, np.inf, -np.inf)
    rows = Rows(time * 10**9 + FIRST * DAY, {"longitude": time / 20 % 360, "dB_mer": field})
    found = quiet(full(Season({FIRST: rows}, 1, ()), x=LONGITUDE, by=by), statistic)[statistic]
    assert not np.isfinite(found).all()


def test_different_questions_do_not_merge() -> None:
    season = Season({}, 2, ((FIRST, FIRST + 1), (FIRST + 1, FIRST + 2)))
    one = bin_samples(
        partition(FIRST, FIRST + 1, FIRST, FIRST + 2), days=season.days.get, variable="a", x=LONGITUDE
    )
    other = bin_samples(
        partition(FIRST + 1, FIRST + 2, FIRST, FIRST + 2), days=season.days.get, variable="b", x=LONGITUDE
    )
    with pytest.raises(BurstError, match="two questions"):
        merge(one, other)
