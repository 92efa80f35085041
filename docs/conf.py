"""The documents of the repository as a site: `make site` builds it, and reading it needs no network."""

from __future__ import annotations

project = "atom"
author = "The atom contributors"
copyright = "2026, The atom contributors"  # noqa: A001 (Sphinx reads this name)

extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/**.md",
    "tools/testinfra/README.md",
    "tools/testinfra/docs/**.md",
    "backend/README.md",
    "backend/docs/**.md",
    "backend/tests/*.md",
    ".planning/**.md",
]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]
suppress_warnings = ["myst.xref_missing"]  # links to files of the repository that are not pages
nitpicky = True

html_theme = "furo"
html_title = "atom"
html_additional_pages = {"index": "redirect.html"}
html_copy_source = False
html_show_sphinx = False
templates_path = ["_templates"]
