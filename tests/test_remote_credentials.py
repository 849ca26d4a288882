"""Secrets that travel: where they are read, and that nothing shows them."""

import stat

import pytest
import storage
from conventions.errors import UserError

from aframe import sections
from aframe.remote import credentials

KEY = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch, tmp_path):
    """No credentials of whoever runs the tests."""
    for name in (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"),
        *("AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
        *("AWS_DEFAULT_REGION", *credentials.WANDB_VARIABLES),
        *("WANDB_API_KEY", "NETRC"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("config", "credentials"):
        variable = {"credentials": "SHARED_CREDENTIALS"}.get(name, "CONFIG")
        monkeypatch.setenv(f"AWS_{variable}_FILE", str(tmp_path / name))


def test_s3_is_asked_with_the_environments_credentials(monkeypatch):
    given = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": KEY}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert credentials.s3("x").values == given
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    assert credentials.s3("x").values == given | {"AWS_SESSION_TOKEN": "t"}
    assert KEY not in repr(credentials.s3("x"))


def test_s3_is_asked_with_a_profiles_credentials(monkeypatch, tmp_path):
    (tmp_path / "credentials").write_text(
        f"[lab]\naws_access_key_id = me\naws_secret_access_key = {KEY}\n"
    )
    (tmp_path / "config").write_text(
        "[profile lab]\nregion = us-west-2\nendpoint_url = https://s3.lab\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert credentials.s3("x").values["AWS_SECRET_ACCESS_KEY"] == KEY
    place = storage.location("s3://bucket/x")
    assert credentials.environment(place) == {
        "AWS_ENDPOINT_URL": "https://s3.lab",
        "AWS_DEFAULT_REGION": "us-west-2",
    }
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(UserError, match="other"):
        credentials.s3("x")


def test_there_are_no_credentials():
    with pytest.raises(UserError, match="set AWS_ACCESS_KEY_ID"):
        credentials.s3("x")


def test_pods_are_told_where_the_store_is(monkeypatch):
    place = storage.location("s3://bucket/x")
    assert credentials.environment(place) == {}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://one")
    assert credentials.environment(place)["AWS_ENDPOINT_URL"] == "https://one"
    place = storage.location("s3://bucket/x", "https://two")
    assert credentials.environment(place)["AWS_ENDPOINT_URL"] == "https://two"

    class Inside:
        s3_endpoint_url = "http://store.inside"

    monkeypatch.setattr(sections, "kubernetes", Inside)
    found = credentials.environment(place)
    assert found == {"AWS_ENDPOINT_URL": "http://store.inside"}


def test_the_key_of_wandb(monkeypatch, tmp_path):
    with pytest.raises(UserError, match="set WANDB_API_KEY"):
        credentials.wandb("x")
    path = tmp_path / ".netrc"
    path.write_text(
        f"machine api.wandb.ai\n  login user\n  password {KEY}\n"
        "machine wandb.lab login user password other\n"
    )
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    assert credentials.wandb("x").values == {"WANDB_API_KEY": KEY}
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.lab")
    assert credentials.wandb("x").values == {"WANDB_API_KEY": "other"}
    monkeypatch.setenv("WANDB_API_KEY", "first")
    assert credentials.wandb("x").values == {"WANDB_API_KEY": "first"}
    monkeypatch.delenv("WANDB_API_KEY")
    path.write_text("mach\n")
    with pytest.raises(UserError, match="netrc, line 2, cannot be read"):
        credentials.wandb("x")


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("git@github.com:ML4GW/aframe.git", True),
        ("ssh://git@example.org:22/x.git", True),
        ("https://example.org/x.git", False),
        ("https://user@example.org/x.git", False),
    ],
)
def test_repositories_that_are_read_with_a_key(repository, expected):
    assert credentials.needs_key(repository) is expected


def test_the_key_of_a_repository(tmp_path):
    with pytest.raises(UserError, match=r"ssh_file of.*: there is no"):
        credentials.git("x")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_rsa").write_text(KEY)
    with pytest.raises(UserError, match="known_hosts of"):
        credentials.git("x")
    (tmp_path / ".ssh" / "known_hosts").write_text("host key")
    found = credentials.git("x")
    assert found.values == {"ssh": KEY, "known_hosts": "host key"}
    assert KEY not in repr(found)
