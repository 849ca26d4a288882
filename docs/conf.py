"""Settings of Sphinx for this documentation."""

import re
import sys
import tomllib
from pathlib import Path

from astroid.exceptions import AstroidImportError
from astroid.manager import AstroidManager
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(
    path.parent
    for pattern in ("aframe", "libs/*/*", "projects/*/*")
    for path in ROOT.glob(f"{pattern}/__init__.py")
    if path.parent.name != "tests"
)

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "aframe"
author = "The aframe developers"
copyright = author
release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "version"
]

extensions = [
    "autoapi.extension",
    "myst_parser",
    "parameters",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build", "templates"]
highlight_language = "none"
# Functions, methods and data that a docstring refers to must be there. Types
# in signatures are mostly those of other packages.
nitpicky = True
nitpick_ignore_regex = [("py:(class|exc|obj)", ".*")]
smartquotes = False

html_theme = "furo"
html_title = "aframe"

# Links to headings, also from other pages.
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

# The API is read from the sources, none of which is imported.
autoapi_dirs = [str(package) for package in PACKAGES]
autoapi_root = "api"
autoapi_add_toctree_entry = False
autoapi_member_order = "bysource"
autoapi_options = ["members", "show-inheritance", "show-module-summary"]
autoapi_template_dir = "templates"

# Of the API, only the packages are in the list of pages that each page has:
# with all modules, that list would take most of the time of a build.
_MODULE_PAGE = re.compile(rf"{autoapi_root}/\w+/.+/index")


def _leave_out_of_list(app: Sphinx, name: str, source: list[str]) -> None:
    if _MODULE_PAGE.fullmatch(name):
        source[0] = f":orphan:\n\n{source[0]}"


_NAMED_PAGE = re.compile(r"`docs/(\S+\.md)`")


def _link_named_pages(
    app: Sphinx, path: Path, parent: str, source: list[str]
) -> None:
    """In the files that pages include, names of other pages become links."""
    source[0] = _NAMED_PAGE.sub(r"[](/\1)", source[0])


def setup(app: Sphinx) -> None:
    """Connect what is above to a build."""
    app.connect("source-read", _leave_out_of_list)
    app.connect("include-read", _link_named_pages)


_ast_of_module = AstroidManager.ast_from_module_name
_KNOWN = {package.name for package in PACKAGES}
_KNOWN |= {"abc", "builtins", "dataclasses", "enum", "typing"}


def _ast_of_own_module(
    self: AstroidManager, modname: str | None, *args: object, **kwargs: object
) -> object:
    """Astroid's own, for these packages and what their classes are made of.

    It would read torch and most of what that imports to find out what kind
    of value a name has, which triples the time of a build, and copy the
    text of Lightning's methods to those that override them.
    """
    if modname and modname.partition(".")[0] not in _KNOWN:
        raise AstroidImportError("not of this repository", modname=modname)
    return _ast_of_module(self, modname, *args, **kwargs)


AstroidManager.ast_from_module_name = _ast_of_own_module
