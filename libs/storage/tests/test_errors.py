"""What is said when a store refuses or does not answer."""

import pytest
from conventions.errors import UserError
from storage import (
    cached,
    client,
    exists,
    listing,
    location,
    opened,
    remove,
    upload,
)

SECRET = "whispered-and-wrong"


def read(place):
    with opened(place) as file:
        return file.read()


@pytest.fixture(autouse=True)
def own_settings(s3_bucket):
    """What a test sets is read in that test alone."""
    client.forget()
    yield
    client.forget()


@pytest.fixture
def ways(make, tmp_path):
    """All ways to use an object."""
    return {
        "exists": exists,
        "upload": lambda place: upload(make(), place),
        "remove": remove,
        "read": read,
        "cached": lambda place: cached(place, tmp_path),
        "listing": lambda place: listing(place.parent, place.name),
    }


WAYS = ["exists", "upload", "remove", "read", "cached", "listing"]


@pytest.mark.parametrize("way", WAYS)
def test_wrong_secret(way, ways, s3, s3_bucket, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    client.forget()
    with pytest.raises(UserError, match="refused the credentials") as caught:
        ways[way](s3_bucket / "d" / "a")
    text = str(caught.value)
    assert str(s3_bucket) in text
    assert s3.endpoint in text
    assert "AWS_SECRET_ACCESS_KEY (set)" in text
    assert f"{s3.environment['AWS_CONFIG_FILE']} (not there)" in text
    assert SECRET not in text
    assert "test " not in text


@pytest.mark.parametrize("way", WAYS)
def test_no_credentials(way, ways, s3_bucket, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    client.forget()
    with pytest.raises(
        UserError, match=r"no credentials were found .*\(not set\)"
    ):
        ways[way](s3_bucket / "d" / "a")


def test_unknown_profile(s3_bucket, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    client.forget()
    with pytest.raises(UserError, match="in the profile nobody of"):
        exists(s3_bucket / "a")


@pytest.mark.parametrize("way", sorted(set(WAYS) - {"exists"}))
def test_no_such_bucket(way, ways, s3_bucket):
    place = location("s3://aframe-is-not-here/d/a")
    with pytest.raises(UserError, match="no bucket aframe-is-not-here"):
        ways[way](place)
    assert not exists(place)


@pytest.mark.parametrize("way", ["read", "cached"])
def test_no_such_object(way, ways, s3, s3_bucket):
    text = rf"/d/a \(endpoint {s3.endpoint}\): there is no such object"
    with pytest.raises(UserError, match=text):
        ways[way](s3_bucket / "d" / "a")


@pytest.mark.parametrize("way", WAYS)
def test_nobody_answers(way, ways, s3_bucket, monkeypatch):
    monkeypatch.setattr(client, "ATTEMPTS", 1)
    place = location("s3://bucket/d/a", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(
        UserError, match=r"endpoint http://127.0.0.1:9\): the store cannot"
    ):
        ways[way](place)


def test_other_errors_pass(s3_bucket):
    with (
        pytest.raises(ZeroDivisionError),
        client.explained(s3_bucket),
    ):
        raise ZeroDivisionError


def test_a_profile_gives_credentials_and_endpoint(
    s3, s3_bucket, make, monkeypatch, tmp_path
):
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    lines = [f"{k.lower()} = {s3.environment[k]}" for k in keys]
    file = tmp_path / "config"
    file.write_text(
        "\n".join(
            [
                "[profile mine]",
                *lines,
                f"endpoint_url = {s3.endpoint}",
                "region = us-east-1",
            ]
        )
    )
    for name in (*keys, "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    client.forget()
    upload(make(), s3_bucket / "a")
    assert exists(s3_bucket / "a")
    assert client.endpoint(s3_bucket) == s3.endpoint


def test_buckets_are_addressed_by_path(s3, s3_bucket, make):
    """Also where the endpoint has a name and not a number."""
    named = s3.endpoint.replace("127.0.0.1", "localhost")
    place = location(str(s3_bucket), endpoint_url=named) / "a"
    upload(make(), place)
    assert exists(place)


def test_a_locations_endpoint_goes_before_the_environments(
    s3, s3_bucket, make, monkeypatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    client.forget()
    place = location(str(s3_bucket), endpoint_url=s3.endpoint) / "a"
    upload(make(), place)
    assert exists(place)
