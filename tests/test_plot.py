"""The plots: pictures compared with stored ones, and what the axes say."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from helio_burst import plot
from helio_burst.errors import InputError

TIMES = pd.date_range("2020-01-01", "2020-03-01", freq="4h")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def irradiance() -> xr.DataArray:
    number = np.arange(TIMES.size)
    values = 200 + 5 * np.sin(number / 12) + np.random.default_rng(1).normal(0, 0.6, number.size)
    attrs = {"units": "DN/s", "long_name": "mean intensity"}
    return xr.DataArray(values, {"time": TIMES.to_numpy()}, name="irradiance", attrs=attrs)


def sun(size: int = 200) -> xr.DataArray:
    axis = np.linspace(-1228, 1228, size)
    radius = np.hypot(axis[:, None], axis) / 960
    values = np.where(radius < 1, 200.0, 300 * np.exp(-(radius - 1) * 6))
    values[(axis > 300) & (axis < 500)] *= 2  # a bright band in the north
    coords = {
        "y": ("y", axis, {"units": "arcsec", "long_name": "helioprojective latitude"}),
        "x": ("x", axis, {"units": "arcsec", "long_name": "helioprojective longitude"}),
        "time": TIMES[0].to_numpy(),
    }
    return xr.DataArray(values, coords, ("y", "x"), "aia_0094", {"units": "DN"})


def probability() -> xr.DataArray:
    random = np.random.default_rng(2)
    latitude, longitude = np.arange(-12.5, 13, 1.0), np.arange(5, 360, 10.0)
    values = random.random((26, 36)) * np.exp(-((latitude[:, None] / 6) ** 2))
    values[random.random(values.shape) < 0.1] = np.nan
    coords = {
        "latitude": ("latitude", latitude, {"units": "degrees_north"}),
        "longitude": ("longitude", longitude, {"units": "degrees_east"}),
    }
    return xr.DataArray(values, coords, name="prob", attrs={"long_name": "occurrence probability"})


def zscore() -> xr.DataArray:
    latitude, longitude = np.arange(61, 49, -0.5), np.arange(-10, 2.1, 0.5)
    values = 2 * np.sin(latitude[:, None] / 3) * np.cos(longitude / 4)
    coords = {"latitude": latitude, "longitude": longitude, "time": TIMES[5].to_numpy()}
    return xr.DataArray(values, coords, ("latitude", "longitude"), "zscore")


@pytest.mark.mpl_image_compare(tolerance=5)
def test_time_series_picture() -> Figure:
    kept = np.ones(TIMES.size, dtype=bool)
    kept[[*range(100, 130), 200, 202]] = False
    failed = pd.DataFrame({"start": TIMES[[120, 200, 202]].tz_localize("UTC")})
    return plot.time_series(irradiance()[kept], failed=failed).figure


@pytest.mark.mpl_image_compare(tolerance=5)
def test_image_picture() -> Figure:
    return plot.image(sun()).figure


@pytest.mark.mpl_image_compare(tolerance=5)
def test_bin_map_picture() -> Figure:
    return plot.bin_map(probability()).figure


@pytest.mark.mpl_image_compare(tolerance=5)
def test_field_picture() -> Figure:
    return plot.field(zscore()).figure


def test_a_line_breaks_where_files_are_missing() -> None:
    ax = plot.time_series(irradiance().isel(time=[0, 1, 2, 3, 10, 11, 12]))
    drawn = ax.lines[0].get_ydata()
    assert drawn.size == 8
    assert np.flatnonzero(np.isnan(drawn)).tolist() == [4]


def test_a_jitter_of_the_cadence_is_no_gap() -> None:
    jitter = np.random.default_rng(3).integers(-30, 30, TIMES.size).astype("timedelta64[m]")
    data = irradiance().assign_coords(time=TIMES.to_numpy() + jitter)
    assert not np.isnan(plot.time_series(data).lines[0].get_ydata()).any()


def test_a_lone_value_between_gaps_is_seen() -> None:
    dots = plot.time_series(irradiance().drop_isel(time=[100, 102])).lines[1]
    assert dots.get_ydata().tolist() == [irradiance().values[101]]


def test_unsorted_times_are_drawn_in_order() -> None:
    ax = plot.time_series(irradiance().isel(time=slice(None, None, -1)))
    assert (np.diff(ax.lines[0].get_xdata().astype("int64")) > 0).all()


def test_several_lines_have_a_legend() -> None:
    both = xr.Dataset({"east": irradiance(), "west": irradiance().assign_attrs(long_name="limb")})
    ax = plot.time_series(both)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["east", "west"]
    assert ax.get_ylabel() == "[DN/s]"
    channels = xr.concat([irradiance(), irradiance()], pd.Index([94, 171], name="channel"))
    texts = plot.time_series(channels).get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["channel 94", "channel 171"]


def test_the_user_s_axes_and_settings_are_used_and_left_alone() -> None:
    before = dict(mpl.rcParams)
    ax = plt.figure().add_subplot()
    assert plot.time_series(irradiance(), ax=ax, color="red", label="AIA") is ax
    assert ax.lines[0].get_color() == "red"
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (irradiance().rename(time="epoch"), "no dimension 'time'; it has epoch"),
        (irradiance().drop_vars("time"), "not of time"),
        (irradiance().isel(time=slice(0, 0)), "empty"),
        (sun().expand_dims("time"), "at most ten"),
        (xr.Dataset({"map": zscore()}), r"There are: map \('latitude', 'longitude'\)"),
        (xr.Dataset({"a": irradiance(), "b": irradiance().assign_attrs(units="nT")}), "different units"),
        (np.arange(3), "not a ndarray"),
    ],
)
def test_time_series_refuses_what_it_cannot_draw(data: xr.DataArray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        plot.time_series(data)


@pytest.mark.parametrize("values", [[1j, 2], ["1", "2"]])
def test_time_series_draws_real_numbers(values: list[complex] | list[str]) -> None:
    data = xr.DataArray(values, {"time": np.array(["2020", "2021"], "M8[ns]")}, name="b")
    with pytest.raises(InputError, match="time_series draws real numbers; b is of type"):
        plot.time_series(data)


def test_failures_without_times_are_refused() -> None:
    with pytest.raises(InputError, match="column 'start'"):
        plot.time_series(irradiance(), failed=pd.DataFrame({"datakey": ["s3://a/b"]}))


def test_north_is_up_whichever_way_the_rows_run() -> None:
    upright, flipped = sun(), sun().isel(y=slice(None, None, -1))
    pictures = [plot.image(data).images[0] for data in (upright, flipped)]
    assert pictures[0].get_extent() == pictures[1].get_extent()
    np.testing.assert_array_equal(*(picture.get_array() for picture in pictures))
    assert pictures[0].origin == "lower"


def test_a_large_image_is_thinned_by_means() -> None:
    picture = plot.image(xr.DataArray(np.tile([0, 2], (4096, 2048)), dims=("y", "x")), stretch="linear")
    shown = picture.images[0].get_array()
    assert shown.shape == (2048, 2048)
    assert (shown == 1).all()
    assert picture.images[0].get_extent() == [-0.5, 2047.5, -0.5, 2047.5]


@pytest.mark.parametrize("stretch", ["asinh", "sqrt", "log", "linear"])
def test_every_stretch_draws_an_image_with_missing_pixels(stretch: str) -> None:
    data = sun()
    data[:10] = np.nan
    plot.image(data, stretch=stretch).figure.canvas.draw()


def test_bounds_are_the_edges_of_the_bins() -> None:
    data = probability().isel(latitude=slice(0, 3), longitude=slice(0, 2))
    bounds = [[-13.0, -11.0], [-11.0, -10.5], [-10.5, -7.0]]
    mesh = plot.bin_map(data, edges={"latitude": bounds}).collections[0]
    assert isinstance(mesh, QuadMesh)
    np.testing.assert_allclose(mesh.get_coordinates()[:, 0, 1], [-13, -11, -10.5, -7])
    np.testing.assert_allclose(mesh.get_coordinates()[0, :, 0], [0, 10, 20])


def test_intervals_of_groupby_bins_are_the_edges_of_the_bins() -> None:
    data = zscore().groupby_bins("latitude", [49, 50, 55, 61]).mean()
    mesh = plot.bin_map(data).collections[0]
    np.testing.assert_allclose(mesh.get_coordinates()[:, 0, 1], [49, 50, 55, 61])


def test_edges_of_another_dimension_are_refused() -> None:
    with pytest.raises(InputError, match="edges has 'lat'; the dimensions are 'latitude' and 'longitude'"):
        plot.bin_map(zscore(), edges={"lat": [0, 1]})


def test_limits_win_over_percentiles() -> None:
    norm = (
        plot.image(xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("y", "x")), vmin=0, vmax=3).images[0].norm
    )
    assert (norm.vmin, norm.vmax) == (0, 3)


def test_edges_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="27 numbers"):
        plot.bin_map(probability(), edges={"latitude": [1, 2, 3]})


def test_bins_never_seen_are_named_in_the_legend() -> None:
    assert plot.bin_map(probability()).get_legend() is not None
    assert plot.bin_map(probability().fillna(0)).get_legend() is None


def test_a_field_of_both_signs_is_centred() -> None:
    mesh = plot.field(zscore()).collections[0]
    assert mesh.norm.vmin == -mesh.norm.vmax
    assert plot.field(abs(zscore())).collections[0].norm.vmin >= 0
    around = plot.field(zscore() + 280, centre=280).collections[0].norm
    assert around.vmax - 280 == pytest.approx(280 - around.vmin)


def test_a_field_knows_its_dimensions_by_their_attributes() -> None:
    data = zscore().rename(latitude="j", longitude="i").transpose()
    data["j"].attrs["units"] = "degrees_north"
    data["i"].attrs["standard_name"] = "longitude"
    assert plot.field(data).get_ylabel() == "j [°N]"


@pytest.mark.parametrize(
    ("draw", "data", "words"),
    [
        (plot.image, irradiance(), "two dimensions; irradiance has .time: 361"),
        (plot.image, sun() * np.nan, "no finite value"),
        (plot.image, sun().astype(str), "real numbers"),
        (plot.image, sun().to_dataset(), "Choose one of its variables: aia_0094"),
        (plot.field, sun(), "none of which is a latitude"),
        (plot.bin_map, probability().isel(longitude=[0, 2, 1]), "sortby"),
        (
            plot.bin_map,
            zscore().assign_coords(latitude=list("abcdefghijklmnopqrstuvwx")),
            "numbers",
        ),
    ],
)
def test_a_map_refuses_what_it_cannot_draw(draw, data: xr.DataArray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        draw(data)


def test_wrong_settings_of_an_image_are_refused() -> None:
    with pytest.raises(InputError, match="lower one first"):
        plot.image(sun(), percentiles=(99, 1))
    with pytest.raises(InputError, match="There are: asinh, sqrt, log, linear"):
        plot.image(sun(), stretch="cubic")
    with pytest.raises(InputError, match="positive"):
        plot.image(-sun(), stretch="log")
