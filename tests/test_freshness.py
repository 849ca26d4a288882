"""The rule of completeness, on toy tasks that count their runs."""

import os
from typing import ClassVar

import luigi
import pytest
from conventions.errors import UserError
from conventions.files import complete
from conventions.segments import read

from aframe import freshness, targets
from aframe.base import AframeTask
from aframe.targets import FileTarget
from aframe.workflows import AframeWorkflow


class Toy:
    """Writes a file and remembers that it did."""

    travels = True
    directory = luigi.Parameter()
    made: ClassVar[list[str]] = []

    def file(self, *parts):
        path = "/".join([self.directory, *map(str, parts)])
        return FileTarget(path)

    def write(self, target, text=""):
        name = type(self).__name__
        branch = getattr(self, "branch", None)
        Toy.made.append(name if branch is None else f"{name}{branch}")
        with complete(target.file) as temporary:
            temporary.write_text(text)


class ToySegments(Toy, AframeTask):
    def output(self):
        return self.file("segments.txt")

    def run(self):
        self.write(self.output(), "0 0 10 10\n1 10 20 10\n")


class ToyFetch(Toy, AframeWorkflow):
    def segments_task(self):
        return ToySegments.req(self)

    def workflow_requires(self):
        return {"segments": self.segments_task()}

    def branch_plan(self):
        path = self.segments_task().output().file
        return dict(enumerate(read(path)))

    def branch_requires(self):
        return {"segments": self.segments_task()}

    def branch_output(self):
        return self.file("fetch", self.branch)

    def run(self):
        self.write(self.output())


class ToyOther(Toy, AframeTask):
    def output(self):
        return self.file("other")

    def run(self):
        self.write(self.output())


class ToySlides(Toy, AframeWorkflow):
    reqs: ClassVar = {"fetch": ToyFetch, "other": ToyOther}

    def segments_task(self):
        return ToySegments.req(self)

    def branch_plan(self):
        return {0: (0, 1), 1: (0, 2), 2: (1, 1), 3: (1, 2)}

    def branch_requires(self):
        return {
            "fetch": ToyFetch.req(self, branch=self.branch_data[0]),
            "other": ToyOther.req(self),
        }

    def branch_output(self):
        return {"slide": self.file("slides", self.branch)}

    def run(self):
        self.write(self.output()["slide"])


class ToyMany(Toy, AframeWorkflow):
    """Makes two files a branch, and only those that it has to."""

    reqs: ClassVar = {"fetch": ToyFetch}

    def segments_task(self):
        return ToySegments.req(self)

    def branch_plan(self):
        return {0: 0, 1: 1}

    def branch_requires(self):
        return {"fetch": ToyFetch.req(self, branch=self.branch_data)}

    def branch_output(self):
        return [
            {"file": self.file("many", self.branch, name)} for name in "ab"
        ]

    def run(self):
        upstream = self.requires().values()
        for files in self.output():
            if not freshness.is_made_after(files, upstream):
                self.write(files["file"], files["file"].path)


class ToyMerged(Toy, AframeTask):
    reqs: ClassVar = {"slides": ToySlides}

    def output(self):
        return self.file("merged")

    def run(self):
        self.write(self.output())


FETCHED = ["ToyFetch0", "ToyFetch1"]
SLIDES = [f"ToySlides{i}" for i in range(4)]


@pytest.fixture
def build(tmp_path):
    """Runs the toy pipeline; returns what was made."""

    def run(workers=1, final=ToyMerged):
        freshness.forget()
        luigi.task_register.Register.clear_instance_cache()
        Toy.made.clear()
        task = final(directory=str(tmp_path))
        assert luigi.build([task], local_scheduler=True, workers=workers)
        freshness.forget()
        assert task.complete()
        return sorted(Toy.made)

    return run


def test_everything_is_made_once(build, tmp_path):
    everything = ["ToyMerged", "ToyOther", "ToySegments", *FETCHED, *SLIDES]
    assert build() == sorted(everything)
    assert build() == []
    assert len(targets.files(ToySlides(directory=str(tmp_path)).output())) == 4


@pytest.mark.parametrize(
    ("deleted", "made"),
    [
        ("merged", ["ToyMerged"]),
        ("slides/2", ["ToyMerged", "ToySlides2"]),
        ("fetch/1", ["ToyFetch1", "ToyMerged", "ToySlides2", "ToySlides3"]),
        ("other", ["ToyMerged", "ToyOther", *SLIDES]),
        ("segments.txt", ["ToyMerged", "ToySegments", *FETCHED, *SLIDES]),
    ],
)
def test_a_deleted_output_costs_it_and_what_depends_on_it(
    build, tmp_path, deleted, made
):
    build()
    (tmp_path / deleted).unlink()
    assert build() == sorted(made)
    assert build() == []


def test_what_is_newer_upstream_makes_stale(build, tmp_path):
    build()
    os.utime(tmp_path / "fetch" / "0")
    assert build() == ["ToyMerged", "ToySlides0", "ToySlides1"]


def test_temporary_files_do_not_count(build, tmp_path):
    build()
    (tmp_path / "slides" / "2").rename(tmp_path / "slides" / ".2.tmp")
    assert build() == ["ToyMerged", "ToySlides2"]


def test_two_workers_make_the_same(build, tmp_path):
    build(workers=2)
    assert (tmp_path / "merged").exists()
    assert build() == []


def test_a_file_changed_behind_our_back_is_seen_soon(build, tmp_path):
    build()
    task = ToyMerged(directory=str(tmp_path))
    assert task.complete()
    (tmp_path / "merged").unlink()
    freshness.forget()
    assert not task.complete()


def test_an_unset_directory_is_named_not_assumed():
    task = ToyOther(directory="$AFRAME_NOT_SET")
    assert not task.output().exists()
    with pytest.raises(UserError, match="AFRAME_NOT_SET is not set"):
        task.complete()


def test_a_branch_of_many_files_makes_those_that_are_missing(build, tmp_path):
    many = [*["ToyMany0"] * 2, *["ToyMany1"] * 2]
    everything = [*FETCHED, *many, "ToySegments"]
    assert build(final=ToyMany) == everything
    assert build(final=ToyMany) == []
    kept = (tmp_path / "many/1/a").stat().st_mtime_ns
    (tmp_path / "many/1/b").unlink()
    assert build(final=ToyMany) == ["ToyMany1"]
    assert (tmp_path / "many/1/a").stat().st_mtime_ns == kept
    (tmp_path / "many/0").rename(tmp_path / "many/.0")
    assert build(final=ToyMany) == ["ToyMany0", "ToyMany0"]
    os.utime(tmp_path / "fetch/1")
    assert build(final=ToyMany) == ["ToyMany1", "ToyMany1"]
