"""Pages that are made from the project itself: benchmarks, the commands, the fields of a job file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
OUT = DOCS / "generated"


def write_pages(app: Sphinx) -> None:
    """Write the generated pages, touching only those that change."""
    OUT.mkdir(exist_ok=True)
    pages = {"benchmarks.md": benchmarks(), "commands.md": commands(), "job-file.md": job_file()}
    for name, text in pages.items():
        _write(OUT / name, text)
    copy_notebooks()


def copy_notebooks() -> None:
    """Bring the notebooks into the site; those that are gone leave it."""
    wanted = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")}
    for path in (DOCS / "notebooks").glob("*.ipynb"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        _write(DOCS / "notebooks" / name, text)


def _write(path: Path, text: str) -> None:
    """Write a file, but only if it changes: Sphinx builds anew what is newer."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def benchmarks() -> str:
    """Return the tables of benchmarks/results, as Markdown."""
    parts = [
        "# Benchmarks",
        "Every number was measured by a script of the `benchmarks` folder, the peers in the same run on the "
        "same machine; run the command above a table to measure it anew. Ratios carry over to other "
        "machines, seconds do not. This page is made from `benchmarks/results/*.json`.",
    ]
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        parts += _benchmark(path.stem, json.loads(path.read_text(encoding="utf-8")))
    return "\n\n".join(parts) + "\n"


def _benchmark(name: str, result: dict[str, Any]) -> list[str]:
    title = str(result.get("title") or name.replace("_", " ").capitalize())
    parts = [f"## {title}"]
    if command := result.get("command"):
        parts.append(f"```bash\n{command}\n```")
    rest = {key: value for key, value in result.items() if key not in ("title", "command")}
    scalars = {key: value for key, value in rest.items() if not isinstance(value, list | dict)}
    if scalars:
        parts.append(_table([{"what": _words(key), "value": value} for key, value in scalars.items()]))
    for key, value in rest.items():
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            parts += [f"**{_words(key)}**", _table(value)]
        elif isinstance(value, dict) and value:
            rows = [{"what": _words(inner), "value": one} for inner, one in value.items()]
            if all(isinstance(one, dict) for one in value.values()):
                rows = [{"what": _words(inner)} | one for inner, one in value.items()]
            parts += [f"**{_words(key)}**", _table(rows)]
    return parts


def _words(key: str) -> str:
    return key.replace("_", " ")


def _table(rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row if key != "digest"))
    lines = ["| " + " | ".join(map(_words, columns)) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(row.get(column)) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def commands() -> str:
    """Return the help of every command."""
    from helio_burst.cli.app import app

    names = [command.name or "" for command in app.registered_commands]
    parts = ["# Commands", "What `helio-burst COMMAND --help` prints."]
    for name in ["", *names]:
        parts += [f"## {('helio-burst ' + name).strip()}", f"```text\n{_help(name)}\n```"]
    return "\n\n".join(parts) + "\n"


def _help(name: str) -> str:
    environment = os.environ | {"COLUMNS": "96", "NO_COLOR": "1", "TERM": "dumb", "PYTHONPATH": str(ROOT)}
    program = "import sys; sys.argv[0] = 'helio-burst'; from helio_burst.cli import main; main()"
    arguments = [sys.executable, "-c", program, *([name] if name else []), "--help"]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def job_file() -> str:
    """Return the fields of a job file, from the model that validates it."""
    from helio_burst.cli.job import ClusterOptions, Job

    parts = [
        "# The job file",
        "What `helio-burst run` and `helio-burst submit` read. The table is made from the model that "
        "validates the file. Paths of code are relative to the job file, those of results to the current "
        "directory.",
        _fields(Job),
        "## cluster",
        "A field that is left out has the default of `open_cluster`.",
        _fields(ClusterOptions),
    ]
    return "\n\n".join(parts) + "\n"


def _fields(model: Any) -> str:
    rows = []
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else field.default
        shown = "" if default in (None, {}) or hasattr(default, "model_fields") else str(default)
        rows.append({"field": f"`{name}`", "default": shown, "meaning": field.description or ""})
    return _table(rows)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("config-inited", lambda app, config: write_pages(app))
    return {"parallel_read_safe": True}
