"""Full-disc images of the Sun: what one measures in them, and a model that makes synthetic ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr


def mean_intensity(image: xr.DataArray) -> xr.DataArray:
    """Return the mean of an image over its pixels.

    Parameters
    ----------
    image : DataArray
        Dims ("y", "x") or others; integers are summed exactly, NaN are left out of floats.

    Returns
    -------
    DataArray, no dims
        Float64, in the image's units, with its scalar coordinates.
    """
    values = image.values
    if values.dtype.kind in "iu":
        mean = float(values.sum(dtype=np.int64)) / values.size
    else:
        mean = float(np.nanmean(values, dtype=np.float64))
    scalars = {name: coord for name, coord in image.coords.items() if coord.ndim == 0}
    attrs = {"long_name": "mean intensity"} | {
        key: image.attrs[key] for key in ("units",) if key in image.attrs
    }
    return xr.DataArray(mean, coords=scalars, name="mean_intensity", attrs=attrs)


def synthetic_image(time: Any, *, size: int = 4096, seed: int = 0) -> xr.DataArray:
    """Make an image as an EUV telescope sees the Sun.

    Returns
    -------
    DataArray of int16, dims (y, x), DN
    """
    random = np.random.default_rng(seed)
    axis = (np.arange(size) - (size - 1) / 2) / (0.39 * size)
    radius = np.hypot(axis[:, None], axis[None, :]).astype("f4")
    smooth = np.where(radius < 1, 120 + 80 * radius**4, 200 * np.exp(-(radius - 1) / 0.12))
    counts: npt.NDArray[np.int16] = np.rint(random.normal(smooth, np.sqrt(smooth) + 1)).astype("i2")
    attrs = {"units": "DN", "TELESCOP": "SDO/AIA", "WAVELNTH": 94, "SYNTHET": 1}
    return xr.DataArray(counts, {"time": np.datetime64(time, "ns")}, ("y", "x"), "image", attrs)


def to_fits(image: xr.DataArray) -> bytes:
    """Write an image as a Rice-compressed FITS file, its attributes as header keywords."""
    import io

    from astropy.io import fits

    header = fits.Header()
    header["BUNIT"] = image.attrs["units"]
    header["DATE-OBS"] = np.datetime_as_string(image["time"].values, unit="ms")
    header.update({key: value for key, value in image.attrs.items() if key != "units"})
    unit = fits.CompImageHDU(image.values, header, compression_type="RICE_1", name="COMPRESSED_IMAGE")
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(file)
    return file.getvalue()
