"""Figures from xarray objects: time series, images, maps of bins and fields; each returns its Axes."""

from helio_burst.plot.maps import bin_map, field, image
from helio_burst.plot.series import time_series

__all__ = ["bin_map", "field", "image", "time_series"]
