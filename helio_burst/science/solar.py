"""Full-disc images of the Sun: what one measures in them, and a model that makes synthetic ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from helio_burst.errors import InputError
from helio_burst.science import corona
from helio_burst.timespan import TimeLike, parse_time

# AIA at 193 angstrom: electrons of one photon (12398 / 193 eV at 3.65 eV each) over the camera's gain, and
# its read noise (Boerner et al. 2012, Solar Physics 275, 41).
_DN_PER_PHOTON = 17.6 / 18.3
_READ_NOISE = 1.2  # DN
_EARTH_ORBIT = 149_597_870_700.0  # m


def mean_intensity(image: xr.DataArray) -> xr.DataArray:
    """Return the mean of an image over its pixels.

    Parameters
    ----------
    image : DataArray
        Dims ("y", "x") or any others. Integers are summed exactly; NaN are left out.

    Returns
    -------
    DataArray, no dims, float64
        In the image's units, with its scalar coordinates.

    Examples
    --------
    >>> float(mean_intensity(xr.DataArray([[1, 2], [3, 6]], dims=("y", "x"))))
    3.0
    """
    values = image.values
    # The sum runs over the values as they are; a float64 copy of an image would be four times its size.
    if values.dtype.kind in "iub":
        mean = int(values.sum(dtype=np.int64)) / values.size
    else:
        mean = float(values.sum(dtype=np.float64)) / values.size
        if np.isnan(mean):
            mean = float(np.nanmean(values, dtype=np.float64))
    scalars = {name: coord for name, coord in image.coords.items() if not coord.ndim}
    units = {"units": image.attrs["units"]} if "units" in image.attrs else {}
    return xr.DataArray(mean, scalars, name="mean_intensity", attrs={"long_name": "mean intensity"} | units)


def synthetic_image(time: TimeLike, *, size: int = corona.FULL_SIZE, seed: int = 0) -> xr.DataArray:
    """Make an image as the Atmospheric Imaging Assembly takes them at 193 angstrom, from a model.

    An optically thin corona in hydrostatic equilibrium brightens the limb; the quiet-Sun network, active
    regions and coronal holes turn with the Sun; an active region flares once a day. Photon noise and read
    noise follow the camera's; its distribution is that of a squared normal variable with the mean and, to an
    eighth of a photon, the variance of the Poisson distribution, which is good from four photons, the least
    there is.

    Parameters
    ----------
    time : time
        Of the exposure, UTC.
    size : int
        Pixels along each side, a multiple of 64.
    seed : int
        Of the Sun's structures, the same for all images of one series, and of the noise, together with
        `time`.

    Returns
    -------
    DataArray of int16, dims ("y", "x"), DN
        With coordinates ``time``, and ``x`` and ``y`` in arcsec; ``attrs`` are the keywords of an AIA header,
        and ``SYNTHET`` says that this is not an observation.

    Raises
    ------
    InputError
        The size is none that can be made.
    """
    if size < 64 or size % 64:
        raise InputError(f"An image of {size} pixels a side cannot be made: size must be a multiple of 64.")
    moment = parse_time(time)
    random = np.random.default_rng([seed, int(moment.timestamp())])
    photons = corona.expected_photons(moment, size=size, seed=seed)
    counts = np.empty((size, size), np.int16)
    noise = _READ_NOISE / _DN_PER_PHOTON
    # By bands of lines that fit into a processor's cache.
    for start in range(0, size, 64):
        band = photons[start : start + 64] + np.float32(noise**2)
        np.sqrt(band, out=band)
        band += 0.5 * random.standard_normal(band.shape, np.float32)
        np.square(band, out=band)
        band -= np.float32(0.25 + noise**2)
        band *= np.float32(_DN_PER_PHOTON)
        counts[start : start + 64] = np.clip(np.rint(band, out=band), -32768, 16383)
    attrs = header(moment, size)
    axis = (np.arange(1, size + 1) - attrs["CRPIX1"]) * attrs["CDELT1"]
    place = {"units": "arcsec"}
    coords = {
        "time": moment.tz_localize(None).as_unit("ns").to_datetime64(),
        "y": ("y", axis, place | {"long_name": "helioprojective latitude"}),
        "x": ("x", axis, place | {"long_name": "helioprojective longitude"}),
    }
    return xr.DataArray(counts, coords, ("y", "x"), "image", attrs)


def header(time: TimeLike, size: int = corona.FULL_SIZE) -> dict[str, Any]:
    """Return the keywords of a level 1.5 AIA header for a synthetic image."""
    moment = parse_time(time)
    distance = corona.distance(moment)
    start = moment.tz_localize(None)
    scale = corona.FULL_SCALE * corona.FULL_SIZE / size
    return {
        "units": "DN",
        "SYNTHET": 1,
        "ORIGIN": "helio-burst: a model, not an observation",
        "TELESCOP": "SDO/AIA",
        "INSTRUME": "AIA_2",
        "WAVELNTH": 193,
        "WAVEUNIT": "angstrom",
        "DATE-OBS": start.isoformat(timespec="milliseconds"),
        "T_OBS": (start + pd.Timedelta(seconds=1)).isoformat(timespec="milliseconds") + "Z",
        "EXPTIME": 2.0,
        "LVL_NUM": 1.5,
        "QUALITY": 0,
        "CTYPE1": "HPLN-TAN",
        "CTYPE2": "HPLT-TAN",
        "CUNIT1": "arcsec",
        "CUNIT2": "arcsec",
        "CRVAL1": 0.0,
        "CRVAL2": 0.0,
        "CDELT1": scale,
        "CDELT2": scale,
        "CRPIX1": (size + 1) / 2,
        "CRPIX2": (size + 1) / 2,
        "CROTA2": 0.0,
        "RSUN_OBS": round(corona.SOLAR_RADIUS / distance, 4),
        "R_SUN": round(corona.SOLAR_RADIUS / distance / scale, 4),
        "RSUN_REF": 696_000_000.0,
        "DSUN_OBS": round(_EARTH_ORBIT * distance, 1),
        "DSUN_REF": _EARTH_ORBIT,
        "HGLN_OBS": 0.0,
        "HGLT_OBS": round(corona.tilt(moment), 4),
        "DN_GAIN": 18.3,
        "COMMENT": "SYNTHETIC: made by helio_burst.science.solar from a model, with photon noise.",
    }
