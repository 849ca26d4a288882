"""Reading where something is, which asks nobody."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from operator import attrgetter
from pathlib import Path

import pytest
from conventions.errors import UserError
from storage import exists, is_remote, location
from storage.locations import bucket_and_key, object_address


def test_local_paths_are_paths():
    place = location("a/b.txt")
    assert place == Path("a/b.txt")
    assert isinstance(place, Path)
    assert not is_remote(place)
    assert location(Path("/a")) == Path("/a")


def test_remote_places_behave_as_paths():
    place = location("s3://bucket/a/b.tar.gz")
    assert is_remote(place)
    assert str(place) == "s3://bucket/a/b.tar.gz"
    assert (place.name, place.suffix) == ("b.tar.gz", ".gz")
    assert str(place.parent) == "s3://bucket/a"
    assert place.parent / "b.tar.gz" == place
    assert location(place) is place
    assert len({place, location(str(place))}) == 1
    assert bucket_and_key(place) == ("bucket", "a/b.tar.gz")


def test_a_slash_in_the_end_says_nothing():
    assert location("s3://bucket/a/") == location("s3://bucket/a")
    assert bucket_and_key(location("s3://bucket/")) == ("bucket", "")


def test_what_is_derived_keeps_the_endpoint():
    place = location("s3://bucket/a/b", endpoint_url="http://host:1")
    for other in (place.parent, place / "c"):
        assert other.storage_options == {"endpoint_url": "http://host:1"}


def test_worker_processes_are_given_the_endpoint():
    place = location("s3://bucket/a/b", endpoint_url="http://host:1")
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as workers:
        parent = workers.submit(attrgetter("parent"), place).result()
    assert parent == place.parent
    assert parent.storage_options == {"endpoint_url": "http://host:1"}


@pytest.mark.parametrize(
    "text",
    ["s3://", "s3:///key", "s3://b//key", "s3://b/../c", "s3://b/./c"],
)
def test_urls_need_a_bucket_and_parts(text):
    with pytest.raises(UserError, match="not of the form s3://bucket/key"):
        location(text)


@pytest.mark.parametrize("text", ["gs://b/k", "http://h/f", "osdf:///x"])
def test_other_stores_are_refused(text):
    with pytest.raises(UserError, match=f"{text} is neither a path of this"):
        location(text)


def test_credentials_in_a_url_are_refused_and_not_repeated():
    with pytest.raises(UserError, match="holds credentials") as caught:
        location("s3://me:hush@bucket/key")
    assert "hush" not in str(caught.value)
    with pytest.raises(UserError, match="holds credentials") as caught:
        location("s3://bucket/key", endpoint_url="https://me:hush@host")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("text", ["host:9000", "ftp://host", "https://"])
def test_an_endpoint_is_a_url(text):
    with pytest.raises(UserError, match=r"endpoint .* is not of the form"):
        location("s3://bucket/key", endpoint_url=text)


def test_a_bucket_is_no_object():
    with pytest.raises(UserError, match="names a bucket, and no object"):
        object_address(location("s3://bucket"))


def test_whether_a_local_file_exists(tmp_path):
    assert not exists(tmp_path)
    (tmp_path / "a").touch()
    assert exists(tmp_path / "a")
