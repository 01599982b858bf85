"""What the demonstrations need: an S3 endpoint on this machine and an archive of synthetic images in it."""

from __future__ import annotations

from helio_burst.demo.server import EmbeddedS3

__all__ = ["EmbeddedS3"]
