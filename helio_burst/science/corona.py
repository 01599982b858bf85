"""A model of the solar corona as a telescope in the extreme ultraviolet sees it.

An optically thin corona in hydrostatic equilibrium brightens the limb; the quiet-Sun network, active regions
and coronal holes turn with the Sun as a solid body; an active region flares once a day.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from helio_burst.timespan import TimeLike, parse_time

Floats = npt.NDArray[np.float32]

SOLAR_RADIUS = 959.63  # arcsec at one astronomical unit
FULL_SIZE, FULL_SCALE = 4096, 0.6  # pixels; arcsec a pixel

_QUIET_SUN = 230.0  # photons per pixel and exposure at the centre of the disc
_STRAY_LIGHT = 4.0  # photons per pixel and exposure
_ROTATION = 360 / 27.2753  # degrees a day as seen from Earth: Carrington's mean synodic rate
_SCALE_HEIGHT = 0.11  # solar radii: hydrostatic at 1.5 million K


def expected_photons(time: TimeLike, *, size: int = FULL_SIZE, seed: int = 0) -> Floats:
    """Return the model's image without noise, photons per pixel and exposure, shape (size, size)."""
    moment = parse_time(time)
    day = moment.timestamp() / 86400
    grid = _grid(size, round(tilt(moment), 1))
    meridian = -_ROTATION * day % 360  # faces the Earth; falls with time, as Carrington's longitude does
    longitude = grid.longitude + np.float32(meridian)
    sun = _structures(seed)
    texture = _look_up(sun.texture, grid.latitude, longitude) * grid.contrast
    quiet = np.exp(texture / 2 - np.float32(0.1)) * _holes(sun.holes, texture, grid.latitude, longitude)
    active: Floats = np.zeros_like(quiet)
    for region in sun.regions:
        if _off_meridian(region, day) < 120:
            strength = np.float32((1 + _flares(region, sun, day, seed)) * region.brightness)
            active += strength * _patches(region, grid.latitude, longitude)
    structure = quiet + active * np.exp(texture)
    return _refine(_QUIET_SUN * structure * grid.column + _STRAY_LIGHT, _coarseness(size))


class _Grid(NamedTuple):
    """Where each line of sight meets the Sun, or the limb nearest to it, and its depth in emitting gas."""

    latitude: Floats  # degrees
    longitude: Floats  # degrees west of the meridian that faces the Earth
    column: Floats  # of the centre of the disc
    contrast: Floats  # of fine structure, which evens out along the long lines of sight beyond the limb


class _Region(NamedTuple):
    """An active region: a pair of bright patches."""

    latitude: float  # degrees
    longitude: float  # degrees
    width: float  # degrees
    brightness: float  # of the quiet Sun


class _Structures(NamedTuple):
    """What is on the Sun."""

    texture: Floats  # of latitude and longitude, standard deviation 1
    regions: tuple[_Region, ...]
    holes: tuple[tuple[float, float, float], ...]  # latitude, longitude, radius; degrees


@lru_cache(maxsize=2)
def _grid(size: int, tilt: float) -> _Grid:
    """Project the sphere, its north pole tilted towards the Earth by `tilt` degrees."""
    coarse = _coarseness(size)
    step = coarse * FULL_SCALE * FULL_SIZE / size / SOLAR_RADIUS
    number = size // coarse + 1
    axis = ((np.arange(number) - (number - 1) / 2) * step).astype("f4")
    west, north = axis[None, :], axis[:, None]
    radius = np.hypot(west, north)
    column = np.interp(radius, *_column_table())
    towards = np.sqrt(np.clip(1 - radius**2, 0, None))
    outside = np.maximum(radius, 1)
    west, north = west / outside, north / outside
    sine, cosine = np.sin(np.radians(tilt)), np.cos(np.radians(tilt))
    latitude = np.degrees(np.arcsin(np.clip(north * cosine + towards * sine, -1, 1)))
    longitude = np.degrees(np.arctan2(west, towards * cosine - north * sine))
    contrast = np.where(radius < 1, 1, 0.4)
    return _Grid(*(values.astype("f4") for values in (latitude, longitude, column, contrast)))


def _column_table() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Integrate the squared density of a hydrostatic corona along lines of sight, by their distance."""
    radius = np.concatenate([np.linspace(0, 0.98, 200), np.linspace(0.981, 2.5, 600)])
    depth = np.linspace(-3, 3, 6001)
    distance = np.hypot(radius[:, None], depth)
    emission = np.exp(-2 / _SCALE_HEIGHT * (1 - 1 / np.maximum(distance, 1)))
    emission[distance < 1] = 0
    emission[(radius[:, None] < 1) & (depth < 0)] = 0  # behind the Sun
    total = emission.sum(axis=1)
    return radius, total / total[0]


@lru_cache(maxsize=2)
def _structures(seed: int) -> _Structures:
    random = np.random.default_rng([seed, 193])
    regions = tuple(
        _Region(
            latitude=float(random.choice([-1, 1]) * random.uniform(10, 28)),
            longitude=float(place + random.uniform(-20, 20)),
            width=float(random.uniform(1.5, 4)),
            brightness=float(random.uniform(4, 14)),
        )
        for place in np.linspace(0, 360, 9)[:-1]
    )
    holes = tuple(
        (float(random.uniform(-30, 30)), float(random.uniform(0, 360)), float(random.uniform(7, 14)))
        for _ in range(3)
    )
    return _Structures(_texture(random), regions, holes)


def _texture(random: np.random.Generator) -> Floats:
    """Make noise of the size of supergranules (30 Mm) and of ten times that, every quarter degree."""
    shape = (720, 1440)
    frequency = np.hypot(np.fft.fftfreq(shape[0], 0.25)[:, None], np.fft.rfftfreq(shape[1], 0.25))
    spectrum = np.fft.rfft2(random.standard_normal(shape))
    texture = np.zeros(shape)
    for size, weight in ((2.5, 0.8), (25.0, 0.6)):  # degrees
        part = np.fft.irfft2(spectrum * np.exp(-((frequency * size - 1) ** 2) * 4), shape)
        texture += weight * part / part.std()
    return np.asarray(texture / texture.std(), np.float32)


def _look_up(texture: Floats, latitude: Floats, longitude: Floats) -> Floats:
    row = ((latitude + 90) * 4).astype("i4").clip(0, texture.shape[0] - 1)
    column = (longitude * 4).astype("i4") % texture.shape[1]
    found: Floats = texture[row, column]
    return found


def _holes(
    holes: tuple[tuple[float, float, float], ...], texture: Floats, latitude: Floats, longitude: Floats
) -> Floats:
    """Return the dimming by coronal holes: ragged ones, at the poles and elsewhere."""
    depth = _step((np.abs(latitude) - 66 + 3 * texture) / 4)
    for north, west, radius in holes:
        inside = radius - _separation(north, west, latitude, longitude)
        depth = np.maximum(depth, _step((inside + 2 * texture) / 3))
    dimming: Floats = np.float32(1) - np.float32(0.75) * depth
    return dimming


def _patches(region: _Region, latitude: Floats, longitude: Floats) -> Floats:
    """Return the shape of an active region: two patches, the leading one nearer to the equator."""
    lean = np.sign(region.latitude) * region.width * 0.4
    total: Floats = np.zeros_like(latitude)
    for side in (-1, 1):
        distance = _separation(
            region.latitude - side * lean, region.longitude + side * region.width, latitude, longitude
        )
        total += np.exp(-((distance / region.width) ** 2) / 2)
    return total


def _separation(north: float, west: float, latitude: Floats, longitude: Floats) -> Floats:
    """Return angular distances, degrees, good for the tens of degrees that structures have."""
    across = (longitude - np.float32(west) + 180) % 360 - 180
    across *= np.float32(np.cos(np.radians(north)))
    separation: Floats = np.hypot(across, latitude - np.float32(north))
    return separation


def _step(values: npt.NDArray[Any]) -> Floats:
    """Go smoothly from 0 to 1 around 0."""
    step: Floats = np.float32(0.5) * (1 + np.tanh(values))
    return step


def _flares(region: _Region, sun: _Structures, day: float, seed: int) -> float:
    """Return the brightening of a region by its flares, a rise of ten minutes and a decay of two hours each.

    Each day has one, in the region that is nearest to the centre of the disc when the day begins.
    """
    brightening = 0.0
    for date in (int(day) - 1, int(day)):
        random = np.random.default_rng([seed, date])
        minutes = (day - date - random.uniform(0.1, 0.9)) * 1440
        strength = random.uniform(2, 8)
        if minutes > 0 and region == min(sun.regions, key=lambda one: _off_meridian(one, date)):
            brightening += strength * (1 - np.exp(-minutes / 10)) * np.exp(-minutes / 120)
    return float(brightening)


def _off_meridian(region: _Region, day: float) -> float:
    """Return how far a region is from the meridian that faces the Earth, degrees."""
    return abs((region.longitude + _ROTATION * day + 180) % 360 - 180)


def _refine(grid: Floats, coarse: int) -> Floats:
    """Interpolate linearly to the pixels' centres."""
    for axis in (0, 1):
        lines = np.moveaxis(grid, axis, 0)
        fine = np.empty(((lines.shape[0] - 1) * coarse, lines.shape[1]), np.float32)
        for number in range(coarse):
            weight = np.float32((number + 0.5) / coarse)
            fine[number::coarse] = lines[:-1] * (1 - weight) + lines[1:] * weight
        grid = np.moveaxis(fine, 0, axis)
    return np.ascontiguousarray(grid)


def _coarseness(size: int) -> int:
    """Return of how many pixels the structures are computed for one; the others are interpolated."""
    return 4 if size > 2048 else 2 if size > 1024 else 1


def distance(moment: pd.Timestamp) -> float:
    """Return the distance of the Earth from the Sun, astronomical units, to a thousandth."""
    return float(1 - 0.01672 * np.cos(np.radians(0.9856 * (moment.dayofyear - 4))))


def tilt(moment: pd.Timestamp) -> float:
    """Return the heliographic latitude of the Earth, degrees, to a tenth."""
    return float(7.25 * np.sin(2 * np.pi * (moment.dayofyear - 157) / 365.25))
