"""Mean intensity, and whether the model's images are what they claim to be."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from helio_burst.errors import InputError
from helio_burst.science import corona, solar


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "u4", "f4", "f8"])
def test_mean_intensity(dtype: str) -> None:
    values = np.random.default_rng(1).integers(0, 200, (50, 70)).astype(dtype)
    image = xr.DataArray(
        values, {"time": np.datetime64("2020-01-01", "ns")}, ("y", "x"), attrs={"units": "DN"}
    )
    mean = solar.mean_intensity(image)
    assert mean.dims == ()
    assert mean.dtype == np.float64
    assert float(mean) == values.astype("i8").sum() / values.size
    assert mean.attrs["units"] == "DN"
    assert mean["time"] == image["time"]


def test_large_integers_are_summed_exactly() -> None:
    values = np.full((3, 1000, 1000), 2**31 - 1, "i4")
    assert float(solar.mean_intensity(xr.DataArray(values))) == 2**31 - 1


def test_nan_are_left_out() -> None:
    assert float(solar.mean_intensity(xr.DataArray([1.0, np.nan, 3.0]))) == 2.0


def test_the_same_time_gives_the_same_image() -> None:
    first, again, later = (
        solar.synthetic_image(time, size=128)
        for time in ("2020-03-01T12:00", "2020-03-01T12:00", "2020-03-01T12:01")
    )
    xr.testing.assert_identical(first, again)
    assert (first.values != later.values).mean() > 0.3
    assert not (first.values == solar.synthetic_image("2020-03-01T12:00", size=128, seed=1).values).all()


def test_shape_header_and_coordinates() -> None:
    image = solar.synthetic_image("2020-03-01T12:00:00.500", size=256)
    assert image.dtype == np.int16
    assert image.dims == ("y", "x")
    assert image.attrs["units"] == "DN"
    assert image.attrs["SYNTHET"] == 1
    assert image.attrs["DATE-OBS"] == "2020-03-01T12:00:00.500"
    assert image["time"] == np.datetime64("2020-03-01T12:00:00.500", "ns")
    assert image["x"].values[[0, -1]] == pytest.approx([-1224, 1224])
    # Of the Earth's orbit and axis, from the Astronomical Almanac: 0.9910 au, -7.2 degrees on that day.
    assert image.attrs["DSUN_OBS"] / 149_597_870_700 == pytest.approx(0.991, abs=1e-3)
    assert image.attrs["HGLT_OBS"] == pytest.approx(-7.2, abs=0.1)


@pytest.mark.parametrize("size", [0, 10, 100])
def test_impossible_sizes(size: int) -> None:
    with pytest.raises(InputError, match="multiple of 64"):
        solar.synthetic_image("2020", size=size)


def test_the_corona_brightens_the_limb_and_fades_outside() -> None:
    photons = corona.expected_photons("2020-03-01", size=512)
    axis = (np.arange(512) - 255.5) * 0.6 * 8 / solar.header("2020-03-01")["RSUN_OBS"]
    radius = np.hypot(axis[:, None], axis)
    centre, limb, outside = (
        np.median(photons[(radius > low) & (radius < high)])
        for low, high in ((0, 0.6), (0.99, 1.02), (1.25, 1.35))
    )
    assert limb > 2 * centre
    assert outside < 0.5 * centre
    assert photons.min() >= 4


def test_noise_has_the_mean_and_variance_of_photons_and_camera() -> None:
    # The structures hardly change within a minute.
    times = np.arange("2020-03-01T00:00", "2020-03-01T00:01", dtype="M8[s]")
    images = np.stack([solar.synthetic_image(time, size=64).values for time in times]).astype("f8")
    photons = np.mean([corona.expected_photons(time, size=64) for time in times], axis=0, dtype="f8")
    gain = 17.6 / 18.3
    within = gain * photons < 12_000  # the camera saturates at 16,383 DN
    assert within.mean() > 0.99
    deviation = (images.mean(axis=0) - gain * photons)[within]
    expected = gain**2 * photons + 1.2**2 + 1 / 12  # rounding to whole DN adds a twelfth
    assert abs(deviation.mean()) < 0.1
    assert (images.var(axis=0, ddof=1) / expected)[within].mean() == pytest.approx(1, abs=0.03)


def test_the_sun_turns_and_flares() -> None:
    def mean(time: str, seed: int = 0) -> float:
        return float(corona.expected_photons(time, size=128, seed=seed).mean())

    day = [mean(f"2020-03-01T{hour:02d}:00") for hour in range(24)]
    assert max(day) > 1.05 * min(day)
    photons = corona.expected_photons("2020-03-01T00:00", size=256)
    later = corona.expected_photons("2020-03-01T06:00", size=256)
    # Six hours turn the Sun by 3.3 degrees: at the centre of the disc four pixels to the west.
    before = photons[96:160, 96:160].ravel()
    likeness = [np.corrcoef(before, later[96:160, 96 + k : 160 + k].ravel())[0, 1] for k in range(-8, 9)]
    assert 2 <= int(np.argmax(likeness)) - 8 <= 6
