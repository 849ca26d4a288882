"""Files of tasks in a real store."""

import time
from contextlib import suppress

import pytest
from conventions.errors import UserError
from storage import exists, listing, location, remove, stat, upload

from aframe import config, files, freshness
from aframe.files import FileTarget


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where files are on their way."""
    path = tmp_path / "scratch"
    monkeypatch.setenv("AFRAME_TMPDIR", str(path))
    return path


@pytest.fixture
def target(s3_bucket, scratch):
    return FileTarget(s3_bucket / "a" / "x.txt")


def left(scratch):
    """Files that did not go where they belong; copies may stay."""
    return [
        path
        for path in scratch.rglob("*")
        if path.is_file() and "s3" not in path.relative_to(scratch).parts
    ]


def put(target, text):
    with target.writing() as path:
        path.write_text(text)


def test_a_file_is_written_and_read(target, scratch):
    assert not target.exists()
    before = time.time_ns()
    put(target, "one")
    assert target.exists()
    assert before <= target.modified() <= time.time_ns()
    assert target.local().read_text() == "one"
    assert target.local().name == "x.txt"
    assert target.path == target.uri() == str(target.file)
    assert str(target.file) in repr(target)
    put(target, "two")
    assert target.local().read_text() == "two"
    assert not left(scratch)


def test_a_writer_that_fails_leaves_nothing(target, scratch):
    with pytest.raises(RuntimeError), target.writing() as path:
        _write_and_fail(path)
    assert not target.exists()
    assert not left(scratch)


def _write_and_fail(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("half")
    raise RuntimeError


def test_removal(target):
    put(target, "one")
    target.remove(silent=False, local_sync=True)
    assert not target.exists()
    target.remove()
    with pytest.raises(FileNotFoundError):
        target.remove(silent=False)
    with pytest.raises(UserError, match="is not there any more"):
        target.modified()


def test_law_fetches_what_is_in_a_store(target, tmp_path):
    with pytest.raises(FileNotFoundError):
        target.stat()
    put(target, "one")
    assert target.stat().st_size == 3
    target.copy_to_local(str(tmp_path / target.basename), retries=0)
    assert (tmp_path / "x.txt").read_text() == "one"


def test_local_files_are_removed_too(tmp_path):
    here = FileTarget(tmp_path / "a")
    here.file.touch()
    here.remove()
    here.remove()
    with pytest.raises(FileNotFoundError):
        here.remove(silent=False)


def test_scratch_must_be_known(target, monkeypatch):
    monkeypatch.delenv("AFRAME_TMPDIR")
    with pytest.raises(UserError, match="AFRAME_TMPDIR is not set"):
        target.local()
    with pytest.raises(UserError, match="AFRAME_TMPDIR is not set"):
        put(target, "one")


def test_scratch_is_of_this_machine(target, monkeypatch):
    monkeypatch.setenv("AFRAME_TMPDIR", "s3://bucket/tmp")
    with pytest.raises(UserError, match="AFRAME_TMPDIR: s3://bucket/tmp is n"):
        target.local()


def test_many_files_keep_their_order(s3_bucket, scratch, tmp_path):
    (tmp_path / "here").write_text("here")
    targets = [FileTarget(s3_bucket / f"{i}.txt") for i in range(5)]
    for number, target in enumerate(targets):
        put(target, str(number))
    targets.insert(2, FileTarget(tmp_path / "here"))
    texts = [path.read_text() for path in files.locals_of(targets)]
    assert texts == ["0", "1", "here", "2", "3", "4"]


def test_several_files_go_together(s3_bucket, scratch):
    outputs = {name: FileTarget(s3_bucket / name) for name in ("a", "b")}
    with (
        pytest.raises(FileNotFoundError),
        files.writing(outputs) as paths,
    ):
        paths["a"].write_text("a")
    assert not outputs["b"].exists()
    with files.writing(outputs) as paths:
        for name, path in paths.items():
            path.write_text(name)
    assert all(target.exists() for target in outputs.values())


def test_a_directory_is_uploaded_in_order(s3_bucket, scratch, monkeypatch):
    order = []

    def note(local, remote):
        order.append(remote.name)
        return upload(local, remote)

    monkeypatch.setattr(files.storage, "upload", note)
    place = s3_bucket / "results"
    outputs = {name: FileTarget(place / name) for name in ("b", "a", "last")}
    with files.writing_directory(outputs) as directory:
        for name in ("last", "a", "b", "extra"):
            (directory / name).write_text(name)
    assert order == ["extra", "b", "a", "last"]
    assert len(listing(place, "*")) == 4
    assert not left(scratch)


def test_a_local_directory_is_written_where_it_is(tmp_path):
    outputs = {"a": FileTarget(tmp_path / "d" / "a")}
    with files.writing_directory(outputs) as directory:
        assert directory == tmp_path / "d"
    with files.writing_groups([outputs]) as paths:
        assert paths == [{"a": tmp_path / "d" / "a"}]


def test_groups_that_are_done_are_kept(s3_bucket, scratch):
    groups = [
        {name: FileTarget(s3_bucket / f"{i}" / name) for name in ("a", "b")}
        for i in range(3)
    ]
    with suppress(RuntimeError), files.writing_groups(groups) as paths:
        for path in [*paths[0].values(), paths[1]["a"]]:
            path.parent.mkdir(exist_ok=True)
            path.write_text("done")
        raise RuntimeError("in the midst of the second")
    assert [
        [target.exists() for target in group.values()] for group in groups
    ] == [[True, True], [False, False], [False, False]]
    assert not left(scratch)


class Step:
    """As much of a task as freshness looks at."""

    def __init__(self, target, *upstream):
        self.target, self.upstream = target, upstream
        self.task_id = str(target.file)

    def output(self):
        return self.target

    def requires(self):
        return self.upstream

    def input_files(self):
        return []

    def complete(self):
        freshness.forget()
        return freshness.is_complete(self)


def test_a_file_in_a_store_is_as_fresh_as_one_here(
    s3_bucket, scratch, tmp_path
):
    """Writes within one second are told apart, here and there."""
    first, second = Step(FileTarget(tmp_path / "a")), None
    first.target.file.write_text("a")
    second = Step(FileTarget(s3_bucket / "b"), first)
    put(second.target, "b")
    third = Step(FileTarget(tmp_path / "c"), second)
    third.target.file.write_text("c")
    assert third.complete()
    put(second.target, "b again")
    assert second.complete()
    assert not third.complete()
    first.target.file.write_text("a again")
    assert not second.complete()
    remove(second.target.file)
    assert not second.complete()


def test_objects_of_others_have_the_time_of_the_store(s3_bucket):
    from storage import client

    before = time.time()
    client.filesystem(s3_bucket).call_s3(
        "put_object", Bucket=s3_bucket.path.strip("/"), Key="a", Body=b"x"
    )
    modified = FileTarget(s3_bucket / "a").modified() / 1e9
    assert before - 2 < modified < time.time() + 2


def test_the_configuration_names_the_endpoint(monkeypatch):
    section = config.sections.s3
    monkeypatch.setattr(section, "endpoint_url", "http://there:1", False)
    place = config.absolute("s3://bucket/a")
    assert place == location("s3://bucket/a", "http://there:1")
    environment = config.process_environment()
    assert environment["AWS_ENDPOINT_URL_S3"] == "http://there:1"


def test_no_file_is_listed_or_asked_for_twice(s3_bucket, scratch, monkeypatch):
    """A question about one of many files is one request about it."""
    from storage import client

    target = FileTarget(s3_bucket / "a")
    put(target, "x")
    store, asked = client.filesystem(s3_bucket), []
    call = store.call_s3

    def note(method, *arguments, **keywords):
        asked.append(method)
        return call(method, *arguments, **keywords)

    monkeypatch.setattr(store, "call_s3", note)
    assert target.exists()
    target.modified()
    assert asked == ["head_object"]
    assert exists(target.file)
    assert stat(target.file)
    assert set(asked) == {"head_object"}
