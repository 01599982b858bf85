"""Merges: exact, and the same for every order and grouping."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from helio_burst.burst import Histogram, Maximum, Mean, Merge, Minimum, Sum
from helio_burst.burst.combine import as_combine
from helio_burst.burst.exactsum import ExactSum
from helio_burst.errors import InputError

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e300, max_value=1e300)


def _merged(combine: Any, values: list[Any], cut: int) -> Any:
    states = []
    for part in (values[:cut], values[cut:]):
        state = combine.identity()
        for value in part:
            state = combine.add(state, value)
        states.append(state)
    return combine.result(combine.merge(states[1], states[0]))


@settings(max_examples=200)
@given(st.lists(FINITE, min_size=1, max_size=40), st.randoms(), st.integers(0, 40))
def test_sum_is_that_of_fsum_in_any_order(values: list[float], random: Any, cut: int) -> None:
    expected = math.fsum(values)
    random.shuffle(values)
    assert _merged(Sum(), values, cut % (len(values) + 1)) == expected


@settings(max_examples=100)
@given(
    arrays.arrays(st.sampled_from(["f4", "f8", "i2", "i8", "u8", "u1"]), st.just((7, 3))),
    st.randoms(),
    st.integers(0, 7),
)
def test_array_sums_have_the_same_bits_in_any_order(data: np.ndarray, random: Any, cut: int) -> None:
    values = list(data)
    one = _merged(Sum(), values, cut)
    random.shuffle(values)
    other = _merged(Sum(), values, 7 - cut)
    assert one.tobytes() == other.tobytes()
    if data.dtype.kind in "iu":
        exact = [float(sum(int(v) for v in data[:, column])) for column in range(3)]
        assert one.tolist() == exact


def test_sums_that_overflow_a_digit_are_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helio_burst.burst.exactsum._CARRY_AFTER", 3)
    total = ExactSum(())
    for value in [2.0**31, -1.0, 2.0**63, 0.5, 1e-20, -(2.0**63), 7.0]:
        total.add(value)
    assert total.total() == math.fsum([2.0**31, -1.0, 0.5, 1e-20, 7.0])


def test_sums_near_and_beyond_the_largest_float() -> None:
    values = [np.array([2.0**1021, 2.0**1022, -(2.0**1023)])] * 7
    assert _merged(Sum(), values, 3).tolist() == [7 * 2.0**1021, np.inf, -np.inf]


def test_nan_is_left_out_and_infinity_is_not() -> None:
    values = [np.array([1.0, np.nan, np.inf]), np.array([3.0, 5.0, 1.0])]
    assert _merged(Sum(), values, 1).tolist() == [4.0, 5.0, np.inf]
    assert _merged(Mean(), values, 1).tolist() == [2.0, 5.0, np.inf]


def test_masked_elements_are_left_out() -> None:
    mean = Mean()
    state = mean.identity()
    for values in ([1, 2], [3, 99]):
        state = mean.add(state, np.ma.masked_equal(values, 99))
    assert mean.result(state).tolist() == [2.0, 2.0]


def test_a_merged_result_looks_like_the_results() -> None:
    image = xr.DataArray(
        np.ones((2, 2)), dims=("y", "x"), coords={"x": [1, 2]}, name="image", attrs={"units": "DN"}
    )
    mean = _merged(Mean(), [image, image * 3], 1)
    xr.testing.assert_identical(mean, (image * 2).assign_attrs(units="DN"))
    table = xr.Dataset({"a": ("x", [1.0, 2.0]), "b": 3.0})
    assert _merged(Sum(), [table, table], 1).b == 6.0
    assert _merged(Sum(), [{"a": 1, "b": 2.0}, {"a": 3, "b": 4.0}], 1) == {"a": 4.0, "b": 6.0}
    assert _merged(Sum(), [1, 2, 3], 1) == 6


def test_least_greatest_and_histogram() -> None:
    values = [np.array([1.0, np.nan]), np.array([0.0, 4.0])]
    assert _merged(Minimum(), values, 1).tolist() == [0.0, 4.0]
    assert _merged(Maximum(), values, 1).tolist() == [1.0, 4.0]
    counts = _merged(Histogram([0, 1, 2, 4]), values, 1)
    assert counts.to_numpy().tolist() == [1, 1, 1]
    assert counts["lower"].to_numpy().tolist() == [0, 1, 2]


def test_a_result_that_does_not_fit_leaves_the_sum_as_it_was() -> None:
    combine = Sum()
    state = combine.add(combine.identity(), {"a": np.ones(2), "b": np.ones(3)})
    with pytest.raises(ValueError, match=r"b has shape \(4,\) here and \(3,\) elsewhere"):
        combine.add(state, {"a": np.ones(2), "b": np.ones(4)})
    assert combine.result(state)["a"].tolist() == [1.0, 1.0]


def test_what_is_no_merge_is_refused() -> None:
    assert isinstance(as_combine(max), Merge)
    assert as_combine(None) is None
    with pytest.raises(InputError, match=r"neither a function merge\(one, other\) nor an object"):
        as_combine(3)
    with pytest.raises(InputError, match="two or more increasing numbers"):
        Histogram([1, 1])
