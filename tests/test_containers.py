"""Images are built for real, and tasks run in them."""

import pytest
from conventions.errors import UserError

from aframe import containers
from aframe.sandbox import ApptainerSandbox
from aframe.tasks import InferSegments


class Probe:
    """A command in place of law's, to look around in the container."""

    def __init__(self, command):
        self.command = command

    def add_arg(self, *args, **kwargs):
        pass

    def build(self):
        return self.command


@pytest.fixture
def look(infer_image, run_environment, monkeypatch, capfd):
    """Runs a command where a task would run, and returns what it prints."""
    for name, value in run_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AFRAME_CONTAINER_ROOT", str(infer_image.parent))
    monkeypatch.setenv("MY_PASSWORD", "geheim")

    def run(command, **parameters):
        task = InferSegments(sandbox="apptainer", branch=0, **parameters)
        sandbox = task.sandbox_inst
        assert isinstance(sandbox, ApptainerSandbox)
        line = sandbox.cmd(Probe(command))
        code, _, _ = sandbox.run(line)
        out, err = capfd.readouterr()
        assert code == 0, out + err
        return line, out

    return run


def test_an_image_says_what_it_is(infer_image):
    labels = containers.read_labels(infer_image)
    assert labels["org.aframe.project"] == "infer"
    assert labels["org.aframe.lock"] == containers.lock_checksum("infer")
    assert labels["org.aframe.version"] == "0.1.0"


def test_a_current_image_is_left_alone(infer_image, base_image, capsys):
    before = infer_image.stat().st_mtime_ns
    root = ["--container-root", str(infer_image.parent)]
    containers.main(["infer", *root, "--base", str(base_image)])
    assert f"{infer_image} is up to date" in capsys.readouterr().out
    assert infer_image.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["lock", "source", "base"])
def test_an_image_of_something_else_is_not_current(
    infer_image, base_image, name
):
    plan = containers.plan(["infer"], infer_image.parent, str(base_image))
    assert plan[0].is_current()
    plan[0].arguments[name] = "another"
    assert not plan[0].is_current()


def test_an_image_with_other_extras_is_not_current(infer_image, base_image):
    for extras, current in ((None, True), ("torch", False)):
        plan = containers.plan(
            ["infer"], infer_image.parent, str(base_image), extras
        )
        assert plan[0].is_current() == current


def test_a_definition_keeps_out_of_the_hosts_temporary_directory():
    for project in containers.projects_with_images():
        path = containers.ROOT / "projects" / project / "apptainer.def"
        assert "/tmp" not in path.read_text().replace("$work/tmp", "")


def test_the_checksum_follows_the_code(tmp_path, monkeypatch):
    for top in ("aframe", "libs/ledger", "projects/infer"):
        (tmp_path / top).mkdir(parents=True)
        (tmp_path / top / "pyproject.toml").write_text("")
        (tmp_path / top / "code.py").write_text("x = 1\n")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "projects/infer/apptainer.def").write_text("")
    monkeypatch.setattr(containers, "ROOT", tmp_path)
    before = containers.source_checksum("infer")
    assert containers.source_checksum("infer") == before
    (tmp_path / "libs/ledger/code.py").write_text("x = 2\n")
    assert containers.source_checksum("infer") != before


def test_the_image_has_no_torch_and_its_own_code(look):
    _, out = look(
        "python -c 'import importlib.util as u, infer.main;"
        'print(u.find_spec("torch"), infer.__file__)\''
    )
    assert out.split()[0] == "None"
    assert out.split()[1].startswith("/opt/aframe/")


def test_dev_runs_this_checkout(look, infer_image):
    _, out = look(
        "python -c 'import infer, ledger, aframe;"
        "print(infer.__file__, ledger.__file__, aframe.__file__)'",
        dev=True,
    )
    root = str(containers.ROOT)
    assert all(path.startswith(root) for path in out.split())


def test_only_named_variables_go_in_and_none_on_the_command_line(
    look, run_environment
):
    line, out = look("env")
    results = run_environment["AFRAME_RESULTS_DIR"]
    assert f"AFRAME_RESULTS_DIR={results}" in out.splitlines()
    assert "geheim" not in out
    assert "RESULTS_DIR" not in line
    assert "--nv" not in line


def test_gpus_are_given_to_the_container(look):
    line, out = look("env", gpus="0,1")
    assert "--nv" in line.split()
    assert "CUDA_VISIBLE_DEVICES=0,1" in out.splitlines()


def test_a_missing_image_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("AFRAME_CONTAINER_ROOT", str(tmp_path))
    task = InferSegments(sandbox="apptainer", branch=0)
    with pytest.raises(UserError, match="build-containers infer") as caught:
        task.sandbox_pre_run()
    assert str(tmp_path / "infer.sif") in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no definition of an image for nothing"),
        (["infer", "--base", "missing.sif"], "missing.sif: no such image"),
    ],
)
def test_wrong_arguments(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        containers.main([*arguments, "--container-root", str(tmp_path)])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_failed_build_shows_the_log_and_leaves_no_image(
    infer_image, base_image, tmp_path, monkeypatch, capsys
):
    project = tmp_path / "projects" / "broken"
    project.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("")
    (project / "poetry.lock").write_text("")
    (project / "pyproject.toml").write_text('[project]\nversion = "1"\n')
    (project / "apptainer.def").write_text(
        "Bootstrap: {{ bootstrap }}\nFrom: {{ base }}\n"
        "%arguments\n bootstrap=docker\n base=none\n version=0\n"
        " revision=0\n lock=0\n source=0\n extras=0\n"
        "%post\n echo {{ version }} {{ revision }} {{ lock }} {{ source }}\n"
        " echo {{ extras }} the reason; exit 3\n"
    )
    monkeypatch.setattr(containers, "ROOT", tmp_path)
    item = containers.plan(["broken"], tmp_path / "images", str(base_image))
    with pytest.raises(UserError, match="the reason") as caught:
        containers.build(item[0])
    assert "build-containers broken" in str(caught.value)
    assert [p.name for p in (tmp_path / "images").iterdir()] == ["broken.log"]
