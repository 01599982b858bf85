"""Imports point up the list of rooms only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "helio_burst"
ROOMS = [
    "errors",
    "timespan",
    "storage",
    "catalog",
    "readers",
    "cluster",
    "burst",
    "arrays",
    "season",
    "workflow",
    "live",
    "science",
    "plot",
    "sweep",
    "demo",
    "cli",
]


def _imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "helio_burst":
                names = [f"helio_burst.{alias.name}" for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("helio_burst.")}
    return rooms - {"__version__"}


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_point_up(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room in ("__init__", "__main__"):
        return
    assert room in ROOMS, f"{room} is not among the rooms of the design"
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    if room == "science":
        allowed -= {
            "catalog",
            "cluster",
            "burst",
            "storage",
        }  # pure functions know nothing of clusters or storage
    assert _imported_rooms(path) <= allowed
