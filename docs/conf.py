"""Sphinx's configuration; `make docs` builds the site, with warnings as errors."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from helio_burst import __version__  # noqa: E402

project = "HelioBurst"
author = "The HelioBurst developers"
copyright = "2026, The HelioBurst developers"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "generated_pages",
]
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
exclude_patterns = ["_build", "_ext", "_templates", "README.md"]
nitpicky = False
show_warning_types = True

# The notebooks are run while the site is built, so that every figure is one that the code makes today.
nb_execution_mode = os.environ.get("HELIO_BURST_DOCS_NOTEBOOKS", "cache")
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]  # what hb.record says has a plain text beside it
nb_remove_code_stderr = True
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "substitution"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # numpydoc's Parameters say it, with units and shapes
autodoc_class_signature = "mixed"
autosummary_generate = True
autosummary_imported_members = True
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "HelioBurst"
html_theme_options = {
    "logo": {"text": "HelioBurst", "image_light": "_static/mark.svg", "image_dark": "_static/mark.svg"},
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Pages without pages below them need no navigation at their side.
_ALONE = ("index", "getting-started", "architecture", "deploy", "why-not-multiply", "generated/benchmarks")
html_sidebars: dict[str, list[str]] = {page: [] for page in _ALONE}
html_favicon = "_static/mark.svg"
html_show_sourcelink = False
