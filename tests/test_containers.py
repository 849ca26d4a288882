"""Images are built for real."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conventions.errors import UserError

from aframe import containers, images

DEFINITION = """Bootstrap: {{ bootstrap }}
From: {{ base }}
%arguments
    bootstrap=docker
    base=none
    project=NAME
    extras=none
    revision=0
    source=0
%post
    echo "aframe: doing something with {{ revision }}"
    COMMAND
%labels
    org.aframe.lock LOCK
    org.aframe.source {{ source }}
    org.aframe.extras {{ extras }}
    org.aframe.base {{ base }}
"""


def test_an_image_says_what_it_is(infer_image):
    labels = images.read_labels(infer_image)
    assert labels["org.aframe.project"] == "infer"
    assert labels["org.aframe.version"] == "0.1.0"
    assert labels["org.aframe.lock"] == images.lock_checksum("infer")
    assert labels["org.aframe.source"] == images.source_checksum("infer")
    assert labels["org.aframe.revision"]


def test_an_image_has_what_its_lock_names(infer_image):
    result = apptainer("run", infer_image, "pip", "list", "--format=freeze")
    names = {line.partition("==")[0] for line in result.split()}
    assert {"law", "numpy", "tritonclient", "infer", "aframe"} <= names
    assert not {"torch", "lightning", "poetry", "pytest"} & names
    libraries = apptainer("run", infer_image, "ls", "/opt/aframe/source/libs")
    assert "ledger" in libraries.split()
    assert "waveforms" not in libraries.split()


def test_images_pass_their_own_test(light_images):
    assert set(light_images) == {"infer", "plots"}
    for image in light_images.values():
        apptainer("test", image)


def apptainer(verb, image, *arguments):
    """What a command of Apptainer says."""
    result = subprocess.run(
        ["apptainer", verb, "--cleanenv", str(image), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_current_image_is_left_alone(infer_image, base_image, capsys):
    before = infer_image.stat().st_mtime_ns
    root = ["--container-root", str(infer_image.parent)]
    containers.main(["infer", *root, "--base", str(base_image)])
    (line,) = capsys.readouterr().out.splitlines()[1:]
    assert line.split()[:3] == ["infer", "up", "to"]
    assert line.endswith(str(infer_image))
    assert infer_image.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["lock", "source", "base", "extras"])
def test_an_image_of_something_else_is_not_current(
    infer_image, base_image, name
):
    (image,) = images.plan(["infer"], infer_image.parent, str(base_image))
    assert image.is_current()
    image.labels[name] = "another"
    assert not image.is_current()


def test_other_extras_are_asked_for(infer_image, base_image):
    for extras, current in ((None, True), ("none", True), ("torch", False)):
        (image,) = images.plan(
            ["infer"], infer_image.parent, str(base_image), extras
        )
        assert image.is_current() == current


def test_definitions_differ_in_their_arguments_alone():
    texts = set()
    for project in images.projects_with_images():
        path = images.ROOT / "projects" / project / "apptainer.def"
        head, rest = path.read_text().split("%arguments\n")
        lines = rest.splitlines()
        assert lines[0] == f"    project={project}"
        assert lines[1].startswith("    extras=")
        texts.add("\n".join(lines[2:]))
        assert head.startswith(f"# The image of projects/{project}")
    assert len(texts) == 1
    assert set(images.projects_with_images()) == {
        path.parent.name for path in images.ROOT.glob("projects/*/poetry.lock")
    }


def test_the_checksum_follows_the_code(project, monkeypatch):
    make, root = project
    make("tiny")
    before = images.source_checksum("tiny")
    assert images.source_checksum("tiny") == before
    (root / "libs/ledger/code.py").write_text("x = 2\n")
    changed = images.source_checksum("tiny")
    assert changed != before
    (root / "libs/ledger/tests").mkdir()
    (root / "libs/ledger/tests/test_code.py").write_text("")
    assert images.source_checksum("tiny") == changed
    (root / "scripts/install-image").write_text("another")
    assert images.source_checksum("tiny") != changed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no definition of an image for nothing"),
        (["infer", "--base", "missing.sif"], "missing.sif: no such image"),
        (["infer", "--max-workers", "0"], "--max-workers: 0 is not 1 or"),
    ],
)
def test_wrong_arguments(base_image, tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        containers.main([*arguments, "--container-root", str(tmp_path)])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_apptainer_that_is_missing_is_said_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit):
        containers.main(["infer", "--container-root", str(tmp_path)])
    assert "apptainer is not on PATH" in capsys.readouterr().err


def test_a_file_that_is_no_image(base_image, tmp_path):
    (tmp_path / "infer.sif").write_text("no image")
    (image,) = images.plan(["infer"], tmp_path)
    with pytest.raises(UserError, match=r"infer\.sif: not an image"):
        image.is_current()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Makes projects with images of their own, in a repository of its own."""
    root = tmp_path / "repository"
    monkeypatch.setattr(images, "ROOT", root)
    for top in ("aframe", "libs/ledger", "scripts"):
        (root / top).mkdir(parents=True)
        (root / top / "pyproject.toml").write_text("")
        (root / top / "code.py").write_text("x = 1\n")
    (root / "scripts/install-image").write_text("")
    (root / "pyproject.toml").write_text("")

    def make(name, command="true"):
        folder = root / "projects" / name
        folder.mkdir(parents=True)
        (folder / "poetry.lock").write_text("")
        (folder / "pyproject.toml").write_text('[project]\nversion = "1"\n')
        text = DEFINITION.replace("NAME", name).replace("COMMAND", command)
        text = text.replace("LOCK", images.lock_checksum(name))
        (folder / "apptainer.def").write_text(text)

    return make, root


def test_what_failed_is_built_by_the_command_that_is_named(
    project, base_image, tmp_path, capsys
):
    """Two at once, one of which fails at first."""
    make, root = project
    make("good")
    make("bad", "echo the reason; exit 3")
    places = ["--container-root", str(tmp_path / "images")]
    places += ["--base", str(base_image)]
    with pytest.raises(SystemExit) as caught:
        containers.main(["--max-workers", "2", *places])
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert "doing something with" in out
    rows = {line.split()[0]: line.split() for line in out.splitlines()[-2:]}
    assert rows["good"][1:4:2] == ["built", "MB"]
    assert rows["bad"][1] == "failed"
    assert "the reason" in err
    command = f"  build-containers bad {' '.join(places)} --max-workers 2"
    assert command in err.splitlines()
    names = {path.name for path in (tmp_path / "images").iterdir()}
    assert names == {"good.sif", "good.log", "bad.log"}
    definition = root / "projects/bad/apptainer.def"
    definition.write_text(definition.read_text().replace("exit 3", "true"))
    containers.main(command.split()[1:])
    assert (tmp_path / "images/bad.sif").exists()
    containers.main(places)
    assert capsys.readouterr().out.count("up to date") == 2


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_build_that_is_interrupted_leaves_no_image(
    project, base_image, tmp_path, how
):
    make, root = project
    make("slow", "sleep 613")
    build, place = tmp_path / "build", tmp_path / "images"
    build.mkdir()
    program = (
        "from pathlib import Path; from aframe import containers, images;"
        f"images.ROOT = Path({str(root)!r});"
        f"containers.main(['--base', {str(base_image)!r},"
        f"'--container-root', {str(place)!r}])"
    )
    process = subprocess.Popen(
        ["env", f"APPTAINER_TMPDIR={build}", sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert any("doing something" in line for line in process.stdout)
    process.send_signal(how)
    process.communicate(timeout=60)
    end = time.monotonic() + 60
    while running("sleep 613") or running(str(root)):
        assert time.monotonic() < end, "processes are left"
        time.sleep(0.2)
    assert [p.name for p in place.glob("[!.]*")] == ["slow.log"]
    if how == signal.SIGINT:
        assert not list(place.glob(".*"))
        assert not list(build.iterdir())


def running(text):
    """Whether a process has a text in its command."""
    commands = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(path.read_bytes().replace(b"\0", b" ").decode())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
    return any(text in command for command in commands)
