"""Small pure functions of a scientist's own kind, and example models; nothing here knows of clusters."""

from __future__ import annotations

from helio_burst.science import corona, solar

__all__ = ["corona", "solar"]
