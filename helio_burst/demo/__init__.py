"""What the demonstrations need: an S3 endpoint on this machine and an archive of synthetic images in it."""

from __future__ import annotations

from helio_burst.demo.server import EmbeddedS3
from helio_burst.demo.session import open_registry

__all__ = ["EmbeddedS3", "open_registry"]
