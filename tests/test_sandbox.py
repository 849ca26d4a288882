"""Tasks run in containers of a real image."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import storage
from conventions.errors import UserError

from aframe import config
from aframe.sandbox import ApptainerSandbox
from aframe.tasks import InferSegments, TrainLocal

HERE = Path(__file__).parent
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIASECRETSECRET",
    "AWS_SECRET_ACCESS_KEY": "a/secret+$HOME`id`\"'\\ of S3",
    "AWS_SESSION_TOKEN": "a-secret-session",
    "WANDB_API_KEY": "0123456789secret0123456789",
    "BEARER_TOKEN": "eyJhsecret.token",
}


class Contained:
    """Runs of the task in ``contained.py``, each in a container."""

    def __init__(self, place, environment):
        self.place = place
        self.environment = environment

    def start(self, act, *arguments, **options):
        command = [Path(sys.executable).parent / "law", "run"]
        command += ["contained.Contained", "--place", self.place]
        return subprocess.Popen(
            [*map(str, command), "--act", act, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def run(self, act, *arguments):
        process = self.start(act, *arguments)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    @property
    def report(self):
        return json.loads((self.place / "report.json").read_text())

    def processes(self):
        """Commands of this test's processes."""
        mine = str(self.place)
        return [line for line in command_lines() if mine in line]


def command_lines():
    """Command lines of all processes of this machine, as ps shows them."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
    return [line for line in lines if line]


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@pytest.fixture
def contained(infer_image, run_environment, tmp_path):
    """Runs of a task in the image of infer."""
    (tmp_path / "place").mkdir()
    configuration = tmp_path / "test.cfg"
    configuration.write_text(
        f"[core]\ninherit = {run_environment['LAW_CONFIG_FILE']}\n"
        "[luigi_containers]\n"
        'environment = ["PYTHONPATH"]\n'
        f'directories = ["{HERE}"]\n'
    )
    return Contained(
        tmp_path / "place",
        run_environment
        | {
            "LAW_CONFIG_FILE": str(configuration),
            "AFRAME_CONTAINER_ROOT": str(infer_image.parent),
            "AFRAME_SANDBOX": "apptainer",
            "AFRAME_TMPDIR": str(tmp_path / "scratch"),
            "PYTHONPATH": str(HERE),
        },
    )


def test_what_a_task_sees_and_says(contained, tmp_path):
    """Its environment, its home, its code; output and errors come through."""
    contained.environment.pop("TMPDIR", None)
    contained.environment["MY_PASSWORD"] = "geheim"
    contained.environment["APPTAINERENV_MY_OTHER"] = "geheim"
    code, output = contained.run("report")
    assert code == 0, output
    assert "says something" in output
    assert "complains a bit" in output
    found = contained.report
    assert found["infer"].startswith("/opt/aframe/")
    assert found["directory"] == str(Path.cwd())
    environment = found["environment"]
    assert not {"MY_PASSWORD", "MY_OTHER", "LAW_HOME"} & set(environment)
    assert environment["TMPDIR"] == str(tmp_path / "scratch")
    # The home was a directory of its own, and is gone.
    assert environment["HOME"].startswith(str(tmp_path / "scratch"))
    assert not list((tmp_path / "scratch").iterdir())


def test_no_secret_is_in_a_command_or_log(contained, tmp_path):
    """Credentials of S3, W&B and LIGO go in, and are seen nowhere else."""
    contained.environment |= SECRETS
    process = contained.start("report")
    lines, done = set(), threading.Event()

    def sample():
        while not done.is_set():
            lines.update(command_lines())
            time.sleep(0.01)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        output, _ = process.communicate(timeout=300)
    finally:
        done.set()
        sampler.join()
    assert process.returncode == 0, output
    assert contained.report["environment"].items() >= SECRETS.items()
    (contained.place / "report.json").unlink()
    assert any("apptainer exec" in line for line in lines)
    assert any("/opt/aframe/bin/law run" in line for line in lines)
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    texts = [output, *lines, *(p.read_text(errors="replace") for p in written)]
    for value in SECRETS.values():
        assert not [text for text in texts if value in text]


def test_object_storage_is_reached_from_a_container(contained, s3, s3_bucket):
    """With credentials and address of the environment alone."""
    (contained.place / "bucket").write_text(str(s3_bucket))
    contained.environment |= s3.environment
    code, output = contained.run("store")
    assert code == 0, output
    assert storage.exists(s3_bucket / "x")


def test_a_mistake_in_a_container_is_told_once(contained):
    code, output = contained.run("err")
    assert code
    assert output.count("act: err is a mistake,\nof two lines") == 1
    assert "Traceback" not in output
    assert "exit code" not in output


def test_a_bug_in_a_container_shows_its_own_traceback(contained, infer_image):
    code, output = contained.run("break_down")
    assert code
    assert output.count("Traceback") == 1
    assert output.count("RuntimeError: a bug in the container") == 1
    assert f"Contained failed in a container of {infer_image}" in output


def test_a_container_that_is_killed_is_said_so(contained):
    code, output = contained.run("die")
    assert code
    assert "ended by signal 9" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    "how",
    [signal.SIGINT, signal.SIGTERM, signal.SIGKILL],
    ids=lambda s: s.name,
)
def test_a_container_ends_with_law(contained, how):
    """In order, also if only law itself is told, or killed."""
    process = contained.start("wait", start_new_session=True)
    try:
        wait_until((contained.place / "started").exists)
        if how == signal.SIGINT:
            os.killpg(process.pid, how)  # as a terminal does
        else:
            process.send_signal(how)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode
    wait_until(lambda: not contained.processes())
    assert (contained.place / "ended").exists()
    assert "Traceback" not in output
    if how != signal.SIGKILL:
        assert output.count("interrupted; run again to continue") == 1


class Command:
    """A command in place of law's."""

    def __init__(self, command=""):
        self.command = command

    def add_arg(self, *args, **kwargs):
        pass

    def build(self):
        return self.command


def options(sandbox):
    """The parts of the command of a sandbox before the task's own."""
    return sandbox.cmd(Command()).split()


@pytest.fixture
def in_container(run_environment, monkeypatch, tmp_path, base_image):
    for name, value in run_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AFRAME_CONTAINER_ROOT", str(tmp_path))

    def make(cls, **parameters):
        sandbox = cls(sandbox="apptainer", **parameters).sandbox_inst
        assert isinstance(sandbox, ApptainerSandbox)
        return sandbox

    return make


@pytest.mark.parametrize(
    ("dev", "expected"), [(True, "changed"), (False, "None")]
)
def test_changed_code_runs_with_dev_alone(
    in_container, infer_image, tmp_path, monkeypatch, capfd, dev, expected
):
    """Without a new build; without the flag, the image's code runs."""
    monkeypatch.setenv("AFRAME_CONTAINER_ROOT", str(infer_image.parent))
    skipped = shutil.ignore_patterns("tests", "__pycache__")
    for name in ("aframe", "libs", "projects/infer"):
        source = config.ROOT / name
        shutil.copytree(source, tmp_path / name, ignore=skipped)
    for name in ("projects/infer/infer", "libs/ledger/ledger", "aframe"):
        with (tmp_path / name / "__init__.py").open("a") as file:
            file.write("\nmarker = 'changed'\n")
    monkeypatch.setattr(config, "ROOT", tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    sandbox = in_container(InferSegments, branch=0, dev=dev)
    program = (
        "import aframe, infer, ledger\n"
        "for m in aframe, infer, ledger: print(getattr(m, 'marker', None))"
    )
    line = shlex.join(["/opt/aframe/bin/python", "-c", program])
    sandbox.run(sandbox.cmd(Command(line)))
    assert capfd.readouterr().out.split() == [expected] * 3


def test_gpus_are_given_where_they_are_asked_for(in_container):
    assert "--nv" not in options(in_container(InferSegments, branch=0))
    sandbox = in_container(InferSegments, branch=0, gpus="0,1")
    assert "--nv" in options(sandbox)
    assert sandbox._get_env()["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_a_training_takes_the_gpus_that_are_there(
    in_container, monkeypatch, tmp_path
):
    monkeypatch.setattr(config, "GPU_DRIVER", tmp_path / "driver")
    assert "--nv" not in options(in_container(TrainLocal))
    (tmp_path / "driver").touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert "--nv" in options(in_container(TrainLocal))


def test_apptainer_that_is_missing_is_said_so(in_container, monkeypatch):
    sandbox = in_container(InferSegments, branch=0)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="apptainer on PATH"):
        options(sandbox)


def test_a_missing_image_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("AFRAME_CONTAINER_ROOT", str(tmp_path))
    task = InferSegments(sandbox="apptainer", branch=0)
    with pytest.raises(UserError, match="build-containers infer") as caught:
        task.sandbox_pre_run()
    assert str(tmp_path / "infer.sif") in str(caught.value)
