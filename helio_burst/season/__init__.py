"""Seasons of satellite data by orbit: exact counts and statistics by bin from any blocks of days."""

from helio_burst.season.bins import Bins
from helio_burst.season.blocks import Block, Selection
from helio_burst.season.certificate import Doubt, SeasonWarning, certify
from helio_burst.season.instrument import PysatInstrument, pysat_tally
from helio_burst.season.job import SeasonJob, read_job, run_job
from helio_burst.season.merging import merge
from helio_burst.season.orbits import Orbits, orbit_breaks
from helio_burst.season.repairing import repair
from helio_burst.season.results import average_of, edges_of, probability, to_dict
from helio_burst.season.run import average, occurrence
from helio_burst.season.samples import Samples, bin_samples
from helio_burst.season.select import blocks_of, seasons, select
from helio_burst.season.sources import FileDays, newest
from helio_burst.season.synthetic import make_vefi
from helio_burst.season.tally import Tally, orbit_tally
from helio_burst.season.vefi import pysat_files, read_vefi, remote_files
from helio_burst.season.walk import Crossing, Orbit, Piece, Rows, Walk

__all__ = [
    "Bins",
    "Block",
    "Crossing",
    "Doubt",
    "FileDays",
    "Orbit",
    "Orbits",
    "Piece",
    "PysatInstrument",
    "Rows",
    "Samples",
    "SeasonJob",
    "SeasonWarning",
    "Selection",
    "Tally",
    "Walk",
    "average",
    "average_of",
    "bin_samples",
    "blocks_of",
    "certify",
    "edges_of",
    "make_vefi",
    "merge",
    "newest",
    "occurrence",
    "orbit_breaks",
    "orbit_tally",
    "probability",
    "pysat_files",
    "pysat_tally",
    "read_job",
    "read_vefi",
    "remote_files",
    "repair",
    "run_job",
    "seasons",
    "select",
    "to_dict",
]
