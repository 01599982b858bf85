"""Packing what functions return."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helio_burst.burst.assemble import assemble
from helio_burst.burst.failures import Failure
from helio_burst.burst.items import as_table
from helio_burst.burst.results import Results
from helio_burst.burst.shard import build, decode_rows, decode_stacks, decode_state, encode
from helio_burst.burst.values import ITEM, pack
from helio_burst.errors import InputError


def test_scalars_become_columns() -> None:
    packed, refused = pack([1.5, np.float64(2), True])
    assert refused == {}
    assert packed.columns["value"].to_pylist() == [1.5, 2.0, 1.0]
    packed, _ = pack([{"mean": 1, "peak": 2.0}, {"mean": 3}, None])
    assert packed.columns["mean"].to_pylist() == [1, 3, None]
    assert packed.columns["peak"].to_pylist() == [2.0, None, None]


def test_units_of_scalar_dataarrays_are_kept() -> None:
    value = xr.DataArray(3.0, name="irradiance", attrs={"units": "DN", "n": np.int64(2)})
    packed, _ = pack([value])
    assert packed.columns["irradiance"].to_pylist() == [3.0]
    assert packed.attrs == {"irradiance": {"units": "DN", "n": 2}}


@pytest.mark.parametrize("dtype", ["int8", "uint16", "float32", "datetime64[ns]", "bool"])
def test_types_survive(dtype: str) -> None:
    values = np.array([0, 1, 2]).astype(dtype)
    packed, _ = pack(list(values))
    assert np.array_equal(packed.columns["value"].to_numpy(zero_copy_only=False), values)
    assert packed.columns["value"].to_numpy(zero_copy_only=False).dtype == values.dtype


def test_arrays_of_one_structure_are_stacked() -> None:
    packed, refused = pack([np.zeros((2, 3)), np.zeros(4), np.ones((2, 3))])
    assert refused == {}
    assert [stack[ITEM].to_numpy().tolist() for stack in packed.stacks] == [[0, 2], [1]]
    assert packed.stacks[0]["value"].shape == (2, 2, 3)


def test_arrays_with_other_coordinates_are_not_mixed() -> None:
    one = xr.DataArray([1.0, 2.0], dims="x", coords={"x": [0, 1], "exposure": 2.0})
    two = one.assign_coords(x=[0, 2])
    three = one.assign_coords(exposure=3.0)
    packed, _ = pack([one, two, three])
    assert [stack[ITEM].to_numpy().tolist() for stack in packed.stacks] == [[0, 2], [1]]
    assert packed.stacks[0]["exposure"].to_numpy().tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("value", "says"), [(object(), "type object"), ({"a": np.zeros(2), "b": object()}, "type object")]
)
def test_what_cannot_be_packed_is_refused_by_name(value: object, says: str) -> None:
    _, refused = pack([1.0, value])
    assert says in refused[1]
    assert "DataArray" in refused[1]


def test_text_among_numbers_is_refused() -> None:
    _, refused = pack([1, 2, "three"])
    assert list(refused) == [2]
    assert "'three' (str)" in refused[2]


def test_what_fits_in_no_column_is_refused_alone() -> None:
    packed, refused = pack([2**70, 1, 2])
    assert list(refused) == [0]
    assert packed.columns["value"].to_pylist() == [None, 1, 2]
    index = pd.MultiIndex.from_tuples([(1, 2), (3, 4)], names=["p", "q"])
    levels = xr.Dataset({"a": ("x", [1, 2])}).assign_coords(xr.Coordinates.from_pandas_multiindex(index, "x"))
    _, refused = pack([levels])
    assert "MultiIndex along x" in refused[0]


def test_times_of_any_unit() -> None:
    packed, refused = pack([np.datetime64("2020"), np.datetime64("2020-02-03", "D"), np.datetime64("NaT")])
    assert refused == {}
    times = packed.columns["value"].to_numpy(zero_copy_only=False)
    assert times.astype("datetime64[D]").astype(str).tolist() == ["2020-01-01", "2020-02-03", "NaT"]


def test_units_of_astropy_are_kept() -> None:
    units = pytest.importorskip("astropy.units")
    packed, refused = pack([3 * units.nT, 4 * units.nT])
    assert refused == {}
    assert packed.columns["value"].to_pylist() == [3.0, 4.0]
    assert packed.attrs == {"value": {"units": "nT"}}
    packed, _ = pack([{"b": [3, 4] * units.nT}])
    assert packed.stacks[0]["b"].attrs == {"units": "nT"}


def test_masked_elements_are_missing() -> None:
    packed, refused = pack([np.ma.masked_array([1, 2], [False, True])])
    assert refused == {}
    assert np.array_equal(packed.stacks[0]["value"], [[1.0, np.nan]], equal_nan=True)
    packed, _ = pack([np.ma.masked, 1.0])
    assert packed.columns["value"].to_pylist() == [None, 1.0]


@pytest.mark.parametrize("value", [1.0, np.zeros(3)])
def test_names_of_the_file_list_and_of_dimensions(value: Any) -> None:
    """What a function calls time, datakey or item is its own."""
    files = as_table(pd.DataFrame({"datakey": ["a", "b"], "start": pd.date_range("2020", periods=2)}))
    named = {"time": value, "datakey": value, "n": xr.DataArray(value, dims=["item"][: np.ndim(value)])}
    packed, refused = pack([named, named])
    assert refused == {}
    results = Results(files)
    results.add(build(files, packed, {}, [1, 1], [0.0, 0.0], "here"))
    dataset = assemble(results, results.table(), files, None, None)
    assert set(dataset.data_vars) == {"time_in_file", "datakey_in_file", "n"}
    assert dataset["n"].shape == (2, *np.shape(value))
    assert dataset["time"].dtype.kind == "M"


def test_a_result_cannot_be_named_as_a_coordinate() -> None:
    files = as_table(pd.DataFrame({"datakey": ["a", "b"], "start": pd.date_range("2020", periods=2)}))
    results = Results(files)
    results.add(build(files, pack([1.0, 2.0])[0], {}, [1, 1], [0.0, 0.0], "here"))
    with pytest.raises(InputError, match="name='time' is a coordinate of the result"):
        assemble(results, results.table(), files, "time", None)


def test_a_shard_survives_writing() -> None:
    items = as_table([f"memory://a/{i}" for i in range(4)])
    image = xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("y", "x"), name="image", attrs={"units": "DN"})
    packed, _ = pack([1.5, image, image + 1, None])
    shard = build(items, packed, {3: Failure("E", "message")}, [1, 1, 2, 1], [0.1] * 4, "here")
    shard.state = {"sum": 3}
    objects = encode(shard)
    assert list(objects) == [".zarr.zip", ".state", ".parquet"], "what makes a shard visible comes last"
    rows, note = decode_rows(objects[".parquet"])
    assert rows.column("ok").to_pylist() == [True, True, True, False]
    assert rows.column("message").to_pylist() == [None, None, None, "message"]
    assert note == {"attrs": {}, "stacks": 1, "state": True}
    (stack,) = decode_stacks(objects[".zarr.zip"])
    assert np.array_equal(stack["image"].to_numpy(), np.stack([image, image + 1]))
    assert stack["image"].attrs == {"units": "DN"}
    assert decode_state(objects[".state"]) == {"sum": 3}
