"""Copies on a node."""

import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest
from conventions.errors import UserError
from storage import cached, cached_directory, client, upload
from storage.locations import bucket_and_key


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def put(remote, body, **notes):
    """Write an object as other programs do."""
    bucket, key = bucket_and_key(remote)
    client.filesystem(remote).call_s3(
        "put_object", Bucket=bucket, Key=key, Body=body, **notes
    )


def test_local_files_need_no_copy(make, cache):
    path = make()
    assert cached(path, cache) is path
    assert cached_directory(path.parent, "*", cache) == path.parent
    assert not cache.exists()


def test_a_copy_is_made_once(proxy, through, make, cache):
    local, remote = make(), through / "d" / "a.bin"
    upload(local, remote)
    copy = cached(remote, cache)
    assert copy.name == "a.bin"
    assert copy.read_bytes() == local.read_bytes()
    proxy.requests.clear()
    assert cached(remote, cache) == copy
    assert proxy.methods() == ["HEAD"]


def test_a_changed_object_is_copied_anew(s3_bucket, make, cache):
    upload(make(), s3_bucket / "a")
    copy = cached(s3_bucket / "a", cache)
    with copy.open("rb") as earlier:
        upload(make(seed=2), s3_bucket / "a")
        assert cached(s3_bucket / "a", cache) == copy
        assert copy.read_bytes() == make(seed=2).read_bytes()
        assert earlier.read() == make(seed=1).read_bytes()


def test_a_copy_that_was_touched_is_compared_again(
    proxy, through, make, cache
):
    upload(make(), through / "a")
    copy = cached(through / "a", cache)
    os.utime(copy, (0, 0))
    proxy.requests.clear()
    assert cached(through / "a", cache) == copy
    assert cached(through / "a", cache) == copy
    assert proxy.methods() == ["HEAD"] * 2
    notes = copy.parent / ".a.json"
    notes.write_text(notes.read_text()[:10])
    assert cached(through / "a", cache).read_bytes() == make().read_bytes()
    assert "GET" in proxy.methods()


@pytest.mark.parametrize("harm", ["flip", "truncate", "remove"])
def test_a_harmed_copy_is_not_used(s3_bucket, make, cache, harm):
    upload(make(), s3_bucket / "a")
    copy = cached(s3_bucket / "a", cache)
    if harm == "flip":
        with copy.open("r+b") as file:
            file.seek(500)
            file.write(b"\xff")
    elif harm == "truncate":
        os.truncate(copy, 999)
    else:
        copy.unlink()
    assert cached(s3_bucket / "a", cache).read_bytes() == make().read_bytes()


def test_a_harmed_object_is_refused(s3_bucket, cache):
    remote = s3_bucket / "a"
    put(remote, b"something else", Metadata={"sha256": "0" * 64})
    with pytest.raises(UserError, match="is damaged, or was replaced") as e:
        cached(remote, cache)
    assert str(remote) in str(e.value)
    assert "0" * 64 in str(e.value)
    left = [path.name for path in cache.rglob("*") if path.is_file()]
    assert left == [".a.lock"]


def test_objects_of_other_programs_are_taken_by_size(s3_bucket, cache):
    put(s3_bucket / "a", b"theirs")
    copy = cached(s3_bucket / "a", cache)
    assert copy.read_bytes() == b"theirs"
    copy.write_bytes(b"thefts")
    assert cached(s3_bucket / "a", cache).read_bytes() == b"theirs"


def test_no_room(s3_bucket, make, cache, monkeypatch):
    upload(make(), s3_bucket / "a")
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(999))
    with pytest.raises(UserError, match="999 bytes are free of 1,000"):
        cached(s3_bucket / "a", cache)


ASK = """
import sys
from pathlib import Path
from storage import cached, location
place = location(sys.argv[1], endpoint_url=sys.argv[2])
print(cached(place, Path(sys.argv[3])))
"""


def test_processes_of_a_node_share_one_download(proxy, through, make, cache):
    upload(make(2 * 2**20), through / "a")
    proxy.requests.clear()
    command = [sys.executable, "-c", ASK, str(through / "a"), proxy.url, cache]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0] * 3
    assert answers == {str(cached(through / "a", cache))}
    assert proxy.methods().count("GET") == 1


def test_a_directory_is_kept_as_the_store_has_it(proxy, through, make, cache):
    for i in range(3):
        upload(make(seed=i), through / "d" / f"b-{i}.h5")
    upload(make(seed=9), through / "d" / "other.txt")
    directory = cached_directory(through / "d", "b-*.h5", cache)
    names = [path.name for path in sorted(directory.glob("*"))]
    visible = [name for name in names if not name.startswith(".")]
    assert visible == ["b-0.h5", "b-1.h5", "b-2.h5"]
    proxy.requests.clear()
    assert cached_directory(through / "d", "b-*.h5", cache) == directory
    assert len(proxy.requests) == 1, "one listing"
    client.filesystem(through).rm((through / "d" / "b-0.h5").path)
    upload(make(seed=7), through / "d" / "b-1.h5")
    kept = cached(through / "d" / "other.txt", cache)
    cached_directory(through / "d", "b-*.h5", cache)
    left = sorted(directory.glob("b-*.h5"))
    assert [path.name for path in left] == ["b-1.h5", "b-2.h5"]
    assert left[0].read_bytes() == make(seed=7).read_bytes()
    assert kept.is_file()


def test_an_empty_directory_is_an_error(s3_bucket, cache):
    with pytest.raises(UserError, match=r"/d \(endpoint .* no files b-\*"):
        cached_directory(s3_bucket / "d", "b-*.h5", cache)


def test_stores_do_not_share_copies(proxy, through, s3_bucket, make, cache):
    upload(make(), s3_bucket / "a")
    one, other = cached(s3_bucket / "a", cache), cached(through / "a", cache)
    assert one != other
    notes = json.loads((one.parent / ".a.json").read_text())
    assert notes["size"] == 1000
