"""The documentation is built, without a warning, and complete."""

import html
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import luigi
import pytest

import aframe.pipelines.sandbox
import aframe.tasks  # noqa: F401 (luigi knows the tasks that are imported)
from aframe import config
from aframe.base import AframeTask

ROOT = Path(__file__).parents[1]


class Page(HTMLParser):
    """Links and anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links = []
        self.anchors = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.anchors.add(attrs["id"])
        if tag == "a" and "href" in attrs:
            self.links.append(attrs["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages, built as ``make docs`` does."""
    directory = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning"]
    command += ["--keep-going", "--quiet", ROOT / "docs", directory]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LAW_CONFIG_FILE": ""},
    )
    assert (result.returncode, result.stderr) == (0, "")
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def pages(site):
    """Links and anchors of all pages, by path."""
    return {path: Page(path) for path in site.rglob("*.html")}


def linked(page, link):
    """The file that a link of a page leads to."""
    return Path(os.path.normpath(page.parent / unquote(urlsplit(link).path)))


def families():
    known = luigi.task_register.Register._get_reg().values()
    return [
        cls
        for cls in known
        if isinstance(cls, type) and cls.__module__.startswith("aframe.")
    ]


def test_every_parameter_is_described(site, pages):
    anchors = pages[site / "configuration.html"].anchors
    missing = []
    for cls in families():
        if issubclass(cls, AframeTask) and cls.exclude_index:
            continue
        if not issubclass(cls, AframeTask | luigi.Config):
            continue
        groups = (cls.__name__, "AframeWorkflow", "AframeTask")
        missing += [
            f"{cls.__name__}.{name}"
            for name, _ in cls.get_params()
            if not anchors & {f"{group}.{name}" for group in groups}
        ]
    assert missing == []


def test_a_row_says_what_a_parameter_is(site):
    page = (site / "configuration.html").read_text()
    row = re.search(
        r'<tr[^>]*>(?:(?!</tr>).)*id="TrainLocal.kernel_length".*?</tr>',
        page,
        re.S,
    )
    cells = re.findall(r"<td>(.*?)</td>", row[0], re.S)
    texts = [
        html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in cells
    ]
    assert texts == [
        "kernel_length",
        "number",
        "s",
        "required",
        "the network's input",
    ]


def test_every_variable_is_described(site):
    page = (site / "configuration.html").read_text()
    assert [name for name in config.VARIABLES if name not in page] == []


def test_every_module_has_a_page(site):
    sources = [
        path.relative_to(base)
        for base in (ROOT, *ROOT.glob("libs/*"), *ROOT.glob("projects/*"))
        for package in base.glob("*/__init__.py")
        if package.parent.name not in ("tests", "libs", "projects")
        for path in package.parent.rglob("*.py")
    ]
    assert len(sources) > 100
    missing = [
        str(source)
        for source in sources
        if not source.stem.startswith("_")
        and not (
            site / "api" / source.with_suffix("") / "index.html"
        ).is_file()
    ]
    assert missing == []


def test_links_between_pages_lead_somewhere(pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = linked(path, link) if parts.path else path
            if target.suffix != ".html":
                found = target.is_file()
            else:
                anchors = pages[target].anchors if target in pages else None
                found = anchors is not None and (
                    not parts.fragment or unquote(parts.fragment) in anchors
                )
            if not found:
                broken.append(f"{path.name}: {link}")
    assert broken == []


def test_every_page_can_be_reached(site, pages):
    reached, pending = set(), [site / "index.html"]
    while pending:
        path = pending.pop()
        if path in reached or path not in pages:
            continue
        reached.add(path)
        pending += [
            linked(path, link)
            for link in pages[path].links
            if urlsplit(link).path and not urlsplit(link).scheme
        ]
    assert set(pages) - reached == set()
