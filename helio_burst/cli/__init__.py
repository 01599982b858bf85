"""The command line: the same words as the library, over the same functions."""

from helio_burst.cli.app import main

__all__ = ["main"]
