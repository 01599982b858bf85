"""``python -m helio_burst``: the command line, where its script is not on the path."""

from helio_burst.cli import main

main()
