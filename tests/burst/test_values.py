"""Packing what functions return."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from helio_burst.burst.failures import Failure
from helio_burst.burst.items import as_table
from helio_burst.burst.shard import build, decode_rows, decode_stacks, decode_state, encode
from helio_burst.burst.values import pack


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
    assert [stack["item"].to_numpy().tolist() for stack in packed.stacks] == [[0, 2], [1]]
    assert packed.stacks[0]["value"].shape == (2, 2, 3)


def test_arrays_with_other_coordinates_are_not_mixed() -> None:
    one = xr.DataArray([1.0, 2.0], dims="x", coords={"x": [0, 1], "exposure": 2.0})
    two = one.assign_coords(x=[0, 2])
    three = one.assign_coords(exposure=3.0)
    packed, _ = pack([one, two, three])
    assert [stack["item"].to_numpy().tolist() for stack in packed.stacks] == [[0, 2], [1]]
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
