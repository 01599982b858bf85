"""Tallies: pysatSeasons' numbers, whatever the blocks, with a certificate that tells when not."""

from __future__ import annotations

import pickle
import warnings
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helio_burst.errors import BurstError, InputError
from helio_burst.season import (
    Bins,
    Orbits,
    Rows,
    SeasonWarning,
    Selection,
    Tally,
    certify,
    merge,
    orbit_tally,
    probability,
    repair,
    to_dict,
)
from helio_burst.season.orbits import DAY
from tests.season.conftest import PysatMaker
from tests.season.random_seasons import FIRST, Season, partition, seasons

QUESTION: dict[str, Any] = {
    "x": Bins(variable="longitude", start=0, stop=360, number=24),
    "y": Bins(variable="latitude", start=-13, stop=13, number=8),
    "gates": {"dB_mer": 0.0, "slt": 12.0},
}


def full(season: Season, **options: Any) -> Tally:
    whole = partition(FIRST, season.last, FIRST, season.last)
    return orbit_tally(whole, days=season.days.get, **{**QUESTION, **options})


def in_blocks(season: Season, pad: int = 1, **options: Any) -> list[Tally]:
    return [
        orbit_tally(
            partition(start, stop, FIRST, season.last, pad), days=season.days.get, **{**QUESTION, **options}
        )
        for start, stop in season.blocks
    ]


def same(one: Tally, other: Tally) -> bool:
    return bool(np.array_equal(one.total, other.total) and np.array_equal(one.hits, other.hits))


def regular(number: int = 6, empty: tuple[int, ...] = (), step: int = 60) -> Season:
    """A season without gaps but for whole days, in blocks of two days."""
    days = {}
    for day in set(range(number)) - set(empty):
        seconds = np.arange(day * 86400, (day + 1) * 86400, step)
        values = {
            "longitude": seconds / (104 * 60) * 360 % 360,
            "latitude": 13 * np.sin(seconds / 900),
            "slt": seconds / 6000 * 24 % 24,
            "dB_mer": np.sin(seconds / 777),
        }
        days[FIRST + day] = Rows(
            seconds * 10**9 + FIRST * DAY, {name: array.astype(np.float32) for name, array in values.items()}
        )
    blocks = tuple((FIRST + day, FIRST + min(day + 2, number)) for day in range(0, number, 2))
    return Season(days, number, blocks)


@settings(max_examples=300)
@given(season=seasons(longest=9, cadence=60), order=st.randoms(use_true_random=False))
def test_merged_is_full_whatever_the_blocks(season: Season, order: Any) -> None:
    parts = in_blocks(season)
    order.shuffle(parts)
    merged = reduce(merge, parts)
    if not certify(merged):
        assert same(merged, full(season))
    repaired = repair(
        merged,
        lambda table: reduce(
            merge, [orbit_tally(row, days=season.days.get, **QUESTION) for row in table.itertuples()]
        ),
    )
    assert certify(repaired) == []
    assert same(repaired, full(season))


@settings(max_examples=100)
@given(season=seasons(longest=6, cadence=60))
def test_merged_days_are_full(season: Season) -> None:
    merged = reduce(merge, in_blocks(season, pad=0, by="day"))
    assert certify(merged) == []
    assert same(merged, full(season, by="day"))


@settings(max_examples=100)
@given(
    season=seasons(longest=6, cadence=60),
    period=st.sampled_from(["5min", "50min", "190min", "400min", "900min"]),
    pad=st.integers(0, 1),
)
def test_a_certificate_is_never_wrong(season: Season, period: str, pad: int) -> None:
    """Whatever the period and the padding: certified means equal."""
    orbits = Orbits(period=period)
    try:
        merged = reduce(merge, in_blocks(season, pad=pad, orbits=orbits))
        whole = full(season, orbits=orbits)
    except InputError:  # no orbit ends where one must
        assume(False)
    assert certify(merged) or same(merged, whole)


def test_a_wrong_period_is_caught() -> None:
    """Without padding, and with an orbit of most of a day, the blocks cannot know where orbits begin."""
    season = regular()
    merged = reduce(merge, in_blocks(season, orbits=Orbits(period="900min")))
    assert not same(merged, full(season, orbits=Orbits(period="900min")))
    doubts = certify(merged)
    assert "differ in the orbit between them" in str(doubts[0])
    with pytest.warns(SeasonWarning) as caught:
        result = probability(merged)
    assert "not certain to be exact" in str(caught[0].message)
    assert "jumps back every 0 days 01:44:00" in str(caught[1].message)
    assert result.attrs["certificate"].startswith("not certain")


@pytest.mark.parametrize("by", ["orbit", "day"])
def test_counts_are_those_of_pysat_seasons(pysat_of: PysatMaker, by: str) -> None:
    from pysatSeasons import occur_prob

    stock = occur_prob.by_orbit2D if by == "orbit" else occur_prob.daily2D

    @settings(max_examples=6)
    @given(season=seasons(longest=3, cadence=120, most_bad=0))
    def check(season: Season) -> None:
        assume(season.days)
        instrument = pysat_of(season.days, FIRST, season.number)
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):
            warnings.filterwarnings("ignore", "Metadata for variables", UserWarning)
            theirs = stock(
                instrument,
                [0, 360, 24],
                "longitude",
                [-13, 13, 8],
                "latitude",
                ["dB_mer", "slt"],
                [0.0, 12.0],
                return_bins=True,
            )
        ours = to_dict(quiet(reduce(merge, in_blocks(season, by=by))))
        assert list(ours) == list(theirs)
        for label in theirs:
            for name in ("prob", "count", "bin_x", "bin_y"):
                np.testing.assert_array_equal(ours[label][name], theirs[label][name])
                assert ours[label][name].dtype == theirs[label][name].dtype

    check()


def quiet(tally: Tally) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeasonWarning)  # of random orbits, whose period is random
        return probability(tally)


@settings(max_examples=10)
@given(season=seasons(longest=8, cadence=120), order=st.randoms(use_true_random=False))
def test_merging_is_associative_and_commutative(season: Season, order: Any) -> None:
    parts = in_blocks(season)
    straight = reduce(merge, parts)
    while len(parts) > 1:
        one = parts.pop(order.randrange(len(parts)))
        other = parts.pop(order.randrange(len(parts)))
        parts.append(merge(one, other))
    assert same(parts[0], straight)
    assert parts[0].blocks == straight.blocks


def test_a_tally_is_small_and_survives_pickling() -> None:
    tally = full(regular())
    again = pickle.loads(pickle.dumps(tally))
    assert same(again, tally)
    assert again.question == tally.question
    assert again.blocks == tally.blocks
    counts = tally.total.nbytes + tally.hits.nbytes
    assert len(pickle.dumps(tally)) < counts + 3000


def test_gaps_of_days_at_the_seams() -> None:
    for empty in [(1,), (2,), (1, 2), (0,), (0, 1), (5,), (4, 5), (1, 2, 3), (2, 3), (0, 1, 2, 3, 4)]:
        season = regular(empty=empty)
        merged = reduce(merge, in_blocks(season))
        assert certify(merged) == [], empty
        assert same(merged, full(season)), empty


def test_missing_blocks_are_noticed() -> None:
    parts = in_blocks(regular())
    for missing, days in ((0, "2010-05-11"), (1, "2010-05-11"), (2, "2010-05-13")):
        merged = reduce(merge, [part for number, part in enumerate(parts) if number != missing])
        doubts = certify(merged)
        assert "missing" in str(doubts[0])
        assert str(doubts[0]).startswith(days)
        with pytest.warns(SeasonWarning, match="not certain to be exact"):
            probability(merged)


def test_a_block_counts_once() -> None:
    part = in_blocks(regular())[0]
    with pytest.raises(BurstError, match="overlap"):
        merge(part, part)


def test_different_questions_do_not_merge() -> None:
    season = regular()
    one, other = in_blocks(season)[0], in_blocks(season, orbits=Orbits(period="98min"))[1]
    with pytest.raises(BurstError, match="two questions"):
        merge(one, other)
    with pytest.raises(BurstError, match="do not merge"):
        merge(one, "a tally")  # type: ignore[type-var]


def test_a_season_without_data_is_refused() -> None:
    merged = reduce(merge, in_blocks(Season({}, 4, ((FIRST, FIRST + 2), (FIRST + 2, FIRST + 4)))))
    with pytest.raises(InputError, match="no data at all from 2010-05-09 to 2010-05-13"):
        probability(merged)


def test_blocks_are_whole_days() -> None:
    block = partition(FIRST, FIRST + 1, FIRST, FIRST + 2)
    block.stop += pd.Timedelta("6h")
    with pytest.raises(InputError, match=r"stop is 2010-05-10T06:00.*whole days"):
        orbit_tally(block, days=lambda day: None, **QUESTION)


@pytest.mark.parametrize(("start", "stop"), [(13, -13), (5, 5), (float("nan"), 1), (0, float("inf"))])
def test_bins_go_up(start: float, stop: float) -> None:
    with pytest.raises(InputError, match=r"latitude.*the start must be below the stop"):
        Bins(variable="latitude", start=start, stop=stop, number=3)


def test_bins_hold_their_lower_edge_only() -> None:
    bins = Bins(variable="latitude", start=0, stop=3, number=3)
    values = np.array([-0.1, 0, 0.9, 1, 3, 3.1, np.nan], np.float32)
    assert bins.index(values).tolist() == [-1, 0, 0, 1, 3, 3, 3]


def test_selected_samples_only() -> None:
    season = regular()
    noon = FIRST * DAY + DAY // 2
    where = Selection(np.array([noon, noon + DAY]), np.array([True, False]))
    some, everything = full(season, where=where), full(season)
    assert some.blocks[0].units == everything.blocks[0].units, "orbits are found in all samples"
    masked = {
        day: Rows(
            rows.time,
            {
                **rows.values,
                **{
                    label: np.where(where(rows.time), rows.values[label], np.nan)
                    for label in QUESTION["gates"]
                },
            },
        )
        for day, rows in season.days.items()
    }
    assert 0 < some.total.sum() < everything.total.sum()
    assert same(some, full(Season(masked, season.number, season.blocks)))


def test_the_result_describes_itself() -> None:
    result = probability(full(regular(), gates={"dB_mer": 0.0}))
    assert result["prob"].dims == ("latitude", "longitude")
    assert result["longitude"].attrs == {
        "standard_name": "longitude",
        "units": "degrees_east",
        "bounds": "longitude_bnds",
    }
    np.testing.assert_array_equal(result["longitude_bnds"][0], [0, 15])
    np.testing.assert_array_equal(result["hits"] / result["count"], result["prob"])
    assert result.attrs["certificate"] == "exact"
    assert result.attrs["gates"] == "dB_mer > 0.0"
    assert result.attrs["number_of_orbits"] == 84
    again = pickle.loads(pickle.dumps(result))
    assert again.identical(result)
