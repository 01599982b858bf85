"""Seasons of satellite data by orbit: exact counts and statistics by bin from any blocks of days."""

from helio_burst.season.bins import Bins
from helio_burst.season.certificate import Doubt, SeasonWarning, certify
from helio_burst.season.orbits import Orbits, orbit_breaks
from helio_burst.season.results import probability, to_dict
from helio_burst.season.merging import merge
from helio_burst.season.tally import Tally, orbit_tally
from helio_burst.season.walk import Orbit, Piece, Rows, Walk

__all__ = [
    "Bins",
    "Doubt",
    "Orbit",
    "Orbits",
    "Piece",
    "Rows",
    "SeasonWarning",
    "Tally",
    "Walk",
    "certify",
    "merge",
    "orbit_breaks",
    "orbit_tally",
    "probability",
    "to_dict",
]
