"""What of a machine goes into a container."""

import os
from pathlib import Path

import pytest

from aframe import config, forwarding
from aframe.forwarding import Mount


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """An environment without anything, and a home of its own."""
    for name in set(os.environ) - {"PATH"}:
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setitem(forwarding.CREDENTIALS, "X509_USER_PROXY", "")
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    return monkeypatch


def paths(*directories):
    return [mount.path for mount in forwarding.mounts(directories)]


def test_only_what_is_listed_goes_in(bare):
    values = {
        "AFRAME_SANDBOX": "apptainer",
        "AWS_SECRET_ACCESS_KEY": "a",
        "AWS_ENDPOINT_URL_S3": "https://store",
        "WANDB_API_KEY": "b",
        "BEARER_TOKEN": "c",
        "HTTPS_PROXY": "http://proxy",
    }
    for name, value in values.items():
        bare.setenv(name, value)
    for name in ("MY_TOKEN", "PYTHONPATH", "LD_LIBRARY_PATH", "LAW_HOME"):
        bare.setenv(name, "x")
    found = forwarding.environment()
    assert set(found) == {*values, "AFRAME_RUN", "TMPDIR"} | (
        {"LAW_CONFIG_FILE"} & set(found)
    )
    assert found.items() >= values.items()


def test_the_configuration_adds_variables_and_directories(bare, tmp_path):
    class Section:
        environment = ("MY_DATABASE", "NOT_SET")
        directories = (str(tmp_path / "extra"), "/not/there")

    (tmp_path / "extra").mkdir()
    bare.setenv("MY_DATABASE", "here")
    bare.setattr(forwarding.sections, "containers", Section)
    found = forwarding.environment()
    assert found["MY_DATABASE"] == "here"
    assert "NOT_SET" not in found
    assert tmp_path / "extra" in paths()
    assert Path("/not/there") not in paths()


def test_the_sections_are_the_configurations():
    assert list(forwarding.sections.containers().environment) == []
    assert list(forwarding.sections.containers().directories) == []


def test_relative_directories_of_a_run_become_absolute(bare, tmp_path):
    bare.setenv("AFRAME_RESULTS_DIR", "results")
    found = forwarding.environment()
    assert found["AFRAME_RESULTS_DIR"] == str(tmp_path / "run" / "results")


def test_directories_of_a_run_need_not_be_there(bare, tmp_path):
    bare.setenv("AFRAME_RESULTS_DIR", str(tmp_path / "new/results"))
    bare.setenv("AFRAME_TRAIN_RUN_DIR", str(tmp_path / "a/training"))
    (tmp_path / "a").mkdir()
    found = paths()
    assert {tmp_path, tmp_path / "a"} <= set(found)
    assert found.index(tmp_path) < found.index(tmp_path / "a")


def test_what_is_in_object_storage_is_not_bound(bare):
    before = paths()
    bare.setenv("AFRAME_RESULTS_DIR", "s3://bucket/results")
    bare.setenv("AFRAME_TEST_BACKGROUND_DIR", "s3://bucket")
    assert paths() == before
    found = forwarding.environment()
    assert found["AFRAME_TEST_BACKGROUND_DIR"] == "s3://bucket"


def test_nothing_hides_what_is_in_the_image(bare):
    bare.setenv("AFRAME_RESULTS_DIR", "/not-there/results")
    bare.setenv("AFRAME_TRAIN_RUN_DIR", "/opt/not-there")
    bare.chdir("/")
    hidden = {"/", "/opt", "/usr", "/etc", "/usr/lib"}
    assert not hidden & set(map(str, paths(Path("/usr"), Path("/opt"))))
    assert not Mount(Path("/opt")).is_possible


@pytest.mark.parametrize(
    ("tmpdir", "run", "expected"),
    [
        (None, None, "/tmp"),
        (None, "tmp", "{}/run/tmp"),
        ("/scratch/me", "tmp", "/scratch/me"),
    ],
)
def test_temporary_files(bare, tmp_path, tmpdir, run, expected):
    for name, value in (("TMPDIR", tmpdir), ("AFRAME_TMPDIR", run)):
        if value:
            bare.setenv(name, value)
    expected = expected.format(tmp_path)
    assert forwarding.environment()["TMPDIR"] == expected
    assert str(forwarding.scratch_directory()) == expected


def test_files_of_credentials_are_bound_read_only(bare, tmp_path):
    for name in ("credentials", "profile", "ticket"):
        (tmp_path / "secret" / name).mkdir(parents=True)
        (tmp_path / "secret" / name / "file").write_text("")
    place = tmp_path / "secret"
    bare.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{place}/credentials/file")
    bare.setenv("AWS_CONFIG_FILE", "../secret/profile/file")
    bare.setenv("KRB5CCNAME", f"FILE:{place}/ticket/file")
    bare.setenv("KRB5_KTNAME", "FILE:/not/there")
    found = forwarding.environment()
    assert found["AWS_CONFIG_FILE"] == f"{place}/profile/file"
    assert found["KRB5CCNAME"] == f"FILE:{place}/ticket/file"
    assert found["KRB5_KTNAME"] == "FILE:/not/there"
    mounts = forwarding.mounts([])
    # Those that are renewed with their directory, for a new file to be seen.
    assert Mount(place / "credentials", read_only=True) in mounts
    assert Mount(place / "ticket", read_only=True) in mounts
    assert Mount(Path(found["AWS_CONFIG_FILE"]), read_only=True) in mounts
    assert not any(mount.path == Path("/not") for mount in mounts)


@pytest.mark.parametrize("value", ["KEYRING:persistent:0", "API:x", "KCM:"])
def test_credentials_that_are_no_file(bare, value):
    bare.setenv("KRB5CCNAME", value)
    assert forwarding.environment()["KRB5CCNAME"] == value


def test_default_files_of_credentials(bare, tmp_path):
    home, runtime = tmp_path / "home", tmp_path / "runtime"
    (home / ".aws").mkdir()
    runtime.mkdir()
    for path in (home / ".aws/credentials", home / ".netrc"):
        path.write_text("")
    token = runtime / f"bt_u{os.getuid()}"
    token.write_text("")
    found = forwarding.environment()
    assert found["AWS_SHARED_CREDENTIALS_FILE"] == f"{home}/.aws/credentials"
    assert found["NETRC"] == f"{home}/.netrc"
    assert found["BEARER_TOKEN_FILE"] == str(token)
    assert "AWS_CONFIG_FILE" not in found
    mounts = forwarding.mounts([])
    assert Mount(home / ".netrc", read_only=True) in mounts
    assert Mount(runtime, read_only=True) in mounts
    assert home not in [mount.path for mount in mounts]


def test_a_proxy_in_the_home_takes_not_the_whole_home_along(bare, tmp_path):
    proxy = tmp_path / "home" / "proxy.pem"
    proxy.write_text("")
    bare.setenv("X509_USER_PROXY", "~/proxy.pem")
    assert forwarding.environment()["X509_USER_PROXY"] == str(proxy)
    assert Mount(proxy, read_only=True) in forwarding.mounts([])


def test_what_a_task_writes_to_stays_writable(bare, tmp_path):
    file = tmp_path / "run" / "token"
    file.write_text("")
    bare.setenv("BEARER_TOKEN_FILE", str(file))
    assert Mount(tmp_path / "run") in forwarding.mounts([])
    assert tmp_path / "run" in paths()
    assert file not in paths()


@pytest.mark.parametrize(
    ("driver", "visible", "expected"),
    [
        (False, None, False),
        (True, None, True),
        (True, "1", True),
        (True, "", False),
        (True, "-1", False),
    ],
)
def test_gpus_of_a_machine(bare, tmp_path, driver, visible, expected):
    if driver:
        (tmp_path / "driver").touch()
    bare.setattr(config, "GPU_DRIVER", tmp_path / "driver")
    if visible is not None:
        bare.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert config.shows_gpus() == expected
