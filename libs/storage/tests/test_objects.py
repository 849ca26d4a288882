"""Single objects on a real store."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from storage import (
    cached,
    client,
    exists,
    listing,
    location,
    objects,
    opened,
    remove,
    stat,
    upload,
    writing,
)

PART = 5 * 2**20


@pytest.fixture
def small_parts(monkeypatch):
    """Files of 10 MB and more go in parts."""
    monkeypatch.setattr(objects, "PART_SIZE", PART)


def parts(bucket):
    """Uploads to a bucket that did not come to an end."""
    found = client.filesystem(bucket).call_s3(
        "list_multipart_uploads", Bucket=bucket.path.strip("/")
    )
    return [upload["Key"] for upload in found.get("Uploads", ())]


def content(remote):
    with opened(remote) as file:
        return file.read()


def test_round_trip(s3_bucket, make):
    local, remote = make(), s3_bucket / "a" / "file.bin"
    before = time.time_ns()
    stored = upload(local, remote)
    checksum = hashlib.sha256(local.read_bytes()).hexdigest()
    assert (stored.size, stored.sha256) == (1000, checksum)
    assert before <= stored.modified_ns <= time.time_ns()
    assert stat(remote) == stored
    assert content(remote) == local.read_bytes()
    again = upload(make(10, seed=2), remote)
    assert again.size == 10
    assert again.modified_ns > stored.modified_ns
    assert again.etag != stored.etag
    remove(remote)
    remove(remote)
    assert stat(remote) is None


def test_large_files_go_in_parts(s3_bucket, make, small_parts):
    local, remote = make(2 * PART + 7), s3_bucket / "big.bin"
    assert "-" in upload(local, remote).etag
    assert content(remote) == local.read_bytes()
    assert parts(s3_bucket) == []


def test_an_empty_file(s3_bucket, make):
    assert upload(make(0), s3_bucket / "x").size == 0
    assert content(s3_bucket / "x") == b""


def test_names_that_urls_must_quote(s3_bucket, make):
    remote = s3_bucket / "a b+c" / "ü=1,#%20.bin"
    upload(make(), remote)
    assert exists(remote)
    assert listing(remote.parent, "*.bin") == [remote]


def test_existence_is_one_request_about_one_key(proxy, through, make):
    upload(make(), through / "a")
    proxy.requests.clear()
    name = through.path.strip("/")
    assert exists(through / "a")
    assert not exists(through / "b" / "c")
    assert proxy.requests == [
        ("HEAD", f"/{name}/a"),
        ("HEAD", f"/{name}/b/c"),
    ]


def test_listings_ask_for_names_that_begin_so(proxy, through, make):
    for name in ("d/b-2.h5", "d/b-1.h5", "d/c.h5", "d/b-1/x.h5", "db-3.h5"):
        upload(make(1), through.joinpath(*name.split("/")))
    proxy.requests.clear()
    found = listing(through / "d", "b-*.h5")
    assert [place.name for place in found] == ["b-1.h5", "b-2.h5"]
    ((method, path),) = proxy.requests
    assert method == "GET"
    assert "prefix=d%2Fb-&" in path
    assert [p.name for p in listing(through, "*")] == ["db-3.h5"]
    assert listing(through / "none", "*") == []


def test_listings_have_many_pages(s3_bucket, make, monkeypatch):
    for i in range(5):
        upload(make(1), s3_bucket / "d" / f"{i}")
    store = client.filesystem(s3_bucket)
    ask, pages = store.call_s3, []

    def two_at_once(method, **arguments):
        pages.append(method)
        return ask(method, MaxKeys=2, **arguments)

    monkeypatch.setattr(store, "call_s3", two_at_once)
    found = listing(s3_bucket / "d", "?")
    assert [place.name for place in found] == list("01234")
    assert len(pages) == 3


def test_local_listings(tmp_path):
    for name in ("b", "a", "c.txt"):
        (tmp_path / name).touch()
    assert listing(tmp_path, "?") == [tmp_path / "a", tmp_path / "b"]


@pytest.mark.parametrize("trouble", [500, 503, "drop"])
def test_requests_are_repeated(proxy, through, make, trouble):
    proxy.trouble = lambda number, *_: trouble if number < 2 else None
    local = make()
    upload(local, through / "a")
    assert proxy.methods() == ["PUT", "PUT", "PUT", "HEAD"]
    first = len(proxy.requests)
    proxy.trouble = lambda number, *_: trouble if number < first + 2 else None
    assert exists(through / "a")
    assert len(proxy.requests) == first + 3


def test_answers_that_break_off_are_read_again(proxy, through, make, tmp_path):
    upload(make(100_000), through / "a")
    gets = []

    def trouble(number, method, path):
        gets.append(method)
        return "cut" if gets.count("GET") == 1 and method == "GET" else None

    proxy.trouble = trouble
    copy = cached(through / "a", tmp_path / "cache")
    assert copy.read_bytes() == make(100_000).read_bytes()
    assert gets.count("GET") == 2


def test_a_store_that_goes_on_failing_is_an_error(
    proxy, through, make, monkeypatch
):
    monkeypatch.setattr(client, "ATTEMPTS", 2)
    proxy.trouble = lambda *_: 503
    with pytest.raises(UserError, match=rf"a \(endpoint {proxy.url}\): the"):
        upload(make(), through / "a")
    assert len(proxy.requests) == 2


def test_content_that_changes_on_its_way_is_refused(
    proxy, through, s3_bucket, make, small_parts
):
    proxy.trouble = lambda number, method, _: (
        "flip" if method == "PUT" else None
    )
    with pytest.raises(UserError, match="the store answered with the error"):
        upload(make(), through / "a")
    assert not exists(s3_bucket / "a")
    with pytest.raises(UserError, match="the store answered with the error"):
        upload(make(3 * PART), through / "b")
    assert not exists(s3_bucket / "b")
    assert parts(s3_bucket) == []


def test_a_failed_upload_leaves_what_was_there(
    proxy, through, s3_bucket, make, small_parts
):
    upload(make(), through / "a")
    proxy.trouble = lambda number, method, path: (
        400 if "partNumber=2" in path else None
    )
    with pytest.raises(UserError, match="the store answered with the error"):
        upload(make(3 * PART), through / "a")
    assert stat(s3_bucket / "a").size == 1000
    assert parts(s3_bucket) == []


UPLOAD = """
import sys
from storage import location, objects, upload
objects.PART_SIZE = {part}
upload(sys.argv[1], location(sys.argv[2], endpoint_url=sys.argv[3]))
"""


def test_a_kill_leaves_nothing_that_is_seen(
    proxy, through, s3_bucket, make, small_parts
):
    local = make(6 * PART)
    reached, killed = threading.Event(), threading.Event()

    def hold(number, method, path):
        if "partNumber=5" in path:
            reached.set()
            killed.wait(60)

    proxy.trouble = hold
    command = [sys.executable, "-c", UPLOAD.format(part=PART)]
    process = subprocess.Popen(
        [*command, local, str(through / "a"), proxy.url]
    )
    assert reached.wait(60)
    process.kill()
    assert process.wait() == -9
    killed.set()
    assert not exists(s3_bucket / "a")
    assert listing(s3_bucket, "*") == []
    assert parts(s3_bucket) == ["a"]
    upload(local, s3_bucket / "a")
    assert content(s3_bucket / "a") == local.read_bytes()
    assert parts(s3_bucket) == []


def test_of_two_writers_the_last_is_told(
    proxy, through, s3_bucket, make, small_parts
):
    reached, done = threading.Event(), threading.Event()

    def hold(number, method, path):
        if "partNumber=3" in path:
            reached.set()
            done.wait(60)

    proxy.trouble = hold
    first, second = make(3 * PART), make(2 * PART, seed=2, name="other.bin")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(upload, first, through / "a")
        assert reached.wait(60)
        upload(second, s3_bucket / "a")
        done.set()
        with pytest.raises(UserError, match="another process wrote it at"):
            slow.result()
    assert content(s3_bucket / "a") == second.read_bytes()


def test_writing_uploads_when_complete(s3_bucket, tmp_path):
    remote = s3_bucket / "d" / "a.txt"
    with writing(remote, tmp_path) as path:
        path.write_text("one")
        assert path.name == "a.txt"
        assert not exists(remote)
    assert content(remote) == b"one"
    with pytest.raises(RuntimeError, match="half"):
        _write_half(remote, tmp_path)
    assert content(remote) == b"one"
    with (
        pytest.raises(FileNotFoundError),
        writing(s3_bucket / "b", tmp_path),
    ):
        """Nothing is written."""
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def _write_half(remote, scratch):
    with writing(remote, scratch) as path:
        path.write_text("two")
        raise RuntimeError("half of it")


def test_writing_here_is_left_to_the_writer(tmp_path):
    with writing(tmp_path / "a", tmp_path / "scratch") as path:
        assert path == tmp_path / "a"
    assert not (tmp_path / "scratch").exists()


def test_slices_do_not_fetch_the_file(proxy, through, tmp_path, monkeypatch):
    monkeypatch.setattr(objects, "STREAM_BLOCK", 2**16)
    data = np.arange(2**20, dtype="f4")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["contiguous"] = data
        file.create_dataset("chunked", data=data, chunks=(2**13,))
    size = upload(tmp_path / "a.h5", through / "a.h5").size
    proxy.requests.clear()
    proxy.sent = 0
    with opened(through / "a.h5") as source, h5py.File(source) as file:
        for name in ("contiguous", "chunked"):
            part = file[name][500_000:504_096]
            np.testing.assert_array_equal(part, data[500_000:504_096])
    assert proxy.sent < 8 * objects.STREAM_BLOCK < size / 16
    assert len(proxy.requests) < 12


def test_an_object_that_is_replaced_while_it_is_read(s3_bucket, make):
    upload(make(4 * 2**20), s3_bucket / "a")
    with pytest.raises(UserError, match="was replaced while it was read"):
        _read_while_replaced(s3_bucket / "a", make(4 * 2**20, seed=2))


def _read_while_replaced(place, other):
    with opened(place) as file:
        file.read(10)
        upload(other, place)
        file.seek(3 * 2**20)
        file.read(10)


def test_local_files_are_opened_too(make):
    assert content(make(5)) == make(5).read_bytes()


def test_a_forked_process_has_its_own_connections(s3_bucket, make):
    upload(make(), s3_bucket / "a")
    process = os.fork()
    if not process:
        os._exit(0 if exists(s3_bucket / "a") else 1)
    assert os.waitpid(process, 0)[1] == 0
    assert exists(s3_bucket / "a")


def test_another_writer_of_the_same_object_is_noticed(
    s3_bucket, make, monkeypatch
):
    other = objects.Stored(1, "x", "y", 0)
    monkeypatch.setattr(objects, "stat", lambda remote: other)
    with pytest.raises(UserError, match="is another process writing it"):
        upload(make(), s3_bucket / "a")


def test_buckets_are_no_objects(make):
    with pytest.raises(UserError, match="names a bucket"):
        upload(make(), location("s3://bucket"))
    with pytest.raises(UserError, match="names a bucket"):
        exists(location("s3://bucket"))
