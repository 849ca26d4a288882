"""Vetoes: what is asked for, from where, and what must agree."""

import json
import os
from pathlib import Path

import pytest
from conventions import segments
from conventions.errors import UserError
from ledger.veto_set import VetoSet

from aframe import freshness
from aframe.pipelines.sandbox import SandboxSV
from aframe.tasks import FetchTest, SensitiveVolume, Vetos

IFOS = ("H1", "L1")


@pytest.fixture
def gates(tmp_path):
    """A file of one gate for each interferometer."""
    files = {ifo: tmp_path / f"gates-{ifo}.txt" for ifo in IFOS}
    for path in files.values():
        path.write_text("1010 0.5 0.5\n")
    return {ifo: str(path) for ifo, path in files.items()}


@pytest.fixture
def volume(tmp_path, run_environment, monkeypatch):
    """Makes a sensitive volume's task, in a run of its own."""
    for name, value in run_environment.items():
        if name.startswith("AFRAME_"):
            monkeypatch.setenv(name, value)

    def make(**settings):
        given = {"source_prior": "priors.priors.nonspin_bbh"} | settings
        return SensitiveVolume(ifos=IFOS, **given)

    return make


def vetos_task(**settings):
    return Vetos(ifos=IFOS, **settings)


def test_without_vetoes_nothing_is_required(law):
    listed = law("aframe.SensitiveVolume", "--print-deps", "1").stdout
    assert "Infer(" in listed
    assert "Vetos(" not in listed


def test_vetoes_are_required_with_what_the_configuration_gives(
    law, write_config, tmp_path, gates
):
    path = write_config(
        '[luigi_SensitiveVolume]\nvetos = ["GATES"]\n'
        'gates = {"H1": "gates-H1.txt", "L1": "gates-L1.txt"}\n'
        "gate_padding = 0.5\n"
    )
    environment = {"LAW_CONFIG_FILE": str(path)}
    for task in ("SensitiveVolume", "pipelines.sandbox.SandboxSV", "Vetos"):
        command = [f"aframe.{task}", "--print-deps", "2"]
        listed = law(*command, **environment).stdout
        assert "Vetos(" in listed
        assert "gate_padding=0.5" in listed
        assert gates["H1"] in listed
        query = "test/background/segments.txt"
        assert f"segments_file={tmp_path / query}" in listed


def test_the_pipeline_takes_vetoes_where_the_volume_does():
    assert SandboxSV.reqs["vetos"] is SensitiveVolume.reqs["vetos"] is Vetos
    assert Vetos.reqs == {"background": FetchTest}
    assert Vetos.project == "datagen"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vetos": ["GATE"]}, "category 'GATE' is unknown, accepted are CAT1"),
        ({"vetos": ["CAT0"]}, "category 'CAT0' is unknown"),
        ({"vetos": [1]}, "category '1' is unknown"),
        ({"vetos": ["CAT2"]}, "CAT2 needs veto_definer_file, which is not"),
        ({"vetos": ["GATES"]}, "GATES needs gates of H1, which is not set"),
        ({"vetos": ["SEGMENTS"]}, "SEGMENTS needs veto_segments of H1"),
        ({"vetos": ["CATALOG"]}, "CATALOG needs catalog, which is not set"),
        (
            {"vetos": ["CATALOG"], "catalog": "/nowhere/events.csv"},
            "catalog: there is no file /nowhere/events.csv",
        ),
        (
            {"vetos": ["GATES"], "gates": {"H1": "/nowhere/gates.txt"}},
            "gates of H1: there is no file /nowhere/gates.txt",
        ),
        (
            {
                "vetos": ["CAT1"],
                "veto_definer_file": __file__,
                "flags_file": "/nowhere/flags.xml",
            },
            "flags_file: there is no file /nowhere/flags.xml",
        ),
    ],
)
def test_what_is_missing_is_known_before_any_work(volume, settings, message):
    for task in (volume(**settings), vetos_task(**settings)):
        with pytest.raises(UserError, match=message):
            task.requires()


def test_a_mistake_ends_the_pipeline_in_a_message(law, tmp_path):
    result = law("aframe.SensitiveVolume", "--vetos", '["GATES"]')
    output = result.stdout + result.stderr
    assert result.returncode
    assert "Traceback" not in output
    assert "GATES needs gates of H1, which is not set" in output
    assert not (tmp_path / "test").exists()


@pytest.mark.parametrize("value", ["[1]", '{"H1": 3}', '"x"'])
def test_paths_by_name(volume, value):
    param = dict(SensitiveVolume.get_params())["gates"]
    with pytest.raises(
        UserError, match=r"gates: .* is not a mapping to paths"
    ):
        param.normalize(param.parse(value))
    relative = volume(gates={"H1": "mine.txt"})
    assert dict(relative.gates) == {"H1": str(Path.cwd() / "mine.txt")}


def test_containers_see_the_files(volume, gates, tmp_path):
    directories = volume(gates=gates).sandbox_directories()
    assert tmp_path in directories
    for path in (*gates.values(), "/nowhere/gates.txt"):
        task = volume(veto_segments={"H1": path})
        given = Path(path).parent
        assert (given in task.sandbox_directories()) == given.is_dir()


@pytest.fixture
def vetoed(law, write_config, tmp_path, gates):
    """Vetoed times as the task makes them."""
    listed = tmp_path / "test" / "background" / "segments.txt"
    listed.parent.mkdir(parents=True)
    segments.write(listed, [(1000, 1100)])
    command = ["aframe.Vetos", "--vetos", '["GATES"]']
    result = law(*command, "--gates", json.dumps(gates))
    assert result.returncode == 0, result.stdout + result.stderr
    return tmp_path / "results" / "vetos.hdf5"


def test_the_task_writes_the_times(vetoed, volume, gates):
    found = VetoSet.read(vetoed)
    rows = [[1008.625, 1011.375]]
    assert found.intervals["GATES"]["L1"].tolist() == rows
    task = volume(vetos=["GATES"], gates=gates)
    assert found.settings == task.veto_settings()


def summarise(task, vetos):
    path = task.output()["summary"].file
    path.parent.mkdir(parents=True, exist_ok=True)
    masses = [[35.0, 35.0], [35.0, 20.0], [20.0, 20.0], [20.0, 10.0]]
    summary = {
        "vetos": vetos,
        "astro_event_rate": 28.0,
        "prior": {"name": "priors.priors.nonspin_bbh", "arguments": {}},
        "populations": {str(pair): {"masses": pair} for pair in masses},
    }
    path.write_text(json.dumps(summary))


@pytest.mark.parametrize("edited", ["H1", "L1"])
def test_an_edited_file_makes_the_times_anew(vetoed, volume, gates, edited):
    task = volume(vetos=["GATES"], gates=gates).requires()["vetos"]
    freshness.forget()
    assert task.complete()
    path = Path(gates[edited])
    path.write_text("1050 0.5 0.5\n")
    made = vetoed.stat().st_mtime_ns
    os.utime(path, ns=(made + 1, made + 1))
    freshness.forget()
    assert not task.complete()


def test_settings_of_other_categories_do_not_matter(volume, gates):
    asked = volume(vetos=["GATES"], gates=gates)
    summarise(asked, {"settings": asked.veto_settings()})
    volume(vetos=["GATES"], gates=gates, catalog_window=9.0).check_results()
    with pytest.raises(UserError, match="gate_padding"):
        volume(vetos=["GATES"], gates=gates, gate_padding=9.0).check_results()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source_prior", "priors.priors.end_o3_ratesandpops"),
        ("prior_args", {"a": [1]}),
        ("mass_combos", [[35, 35], [30, 30]]),
    ],
)
def test_results_of_other_settings_are_an_error(volume, name, value):
    summarise(volume(), None)
    volume().check_results()
    settings = {"source_prior": "priors.priors.nonspin_bbh", name: value}
    with pytest.raises(UserError, match=rf"^{name} = .* in the conf.* Remove"):
        volume(**settings).check_results()


def test_results_of_other_vetoes_are_an_error(volume, gates):
    without = volume()
    summarise(without, None)
    without.check_results()
    asked = volume(vetos=["GATES"], gates=gates)
    with pytest.raises(UserError) as caught:
        asked.check_results()
    message = str(caught.value)
    assert "vetos = [] in " in message
    assert '["GATES"] in the configuration' in message
    assert "Remove " in message
    assert message.endswith("results/vetos.hdf5 and run again")

    summarise(asked, {"settings": asked.veto_settings()})
    asked.check_results()
    wider = volume(vetos=["GATES"], gates=gates, gate_padding=1.0)
    with pytest.raises(UserError, match=r"gate_padding = 0\.375 in .*, 1\.0"):
        wider.check_results()
    with pytest.raises(UserError, match=r"Remove .*summary\.json and run"):
        without.check_results()


def test_results_of_another_rate_are_an_error(volume):
    summarise(volume(), None)
    with pytest.raises(UserError) as caught:
        volume(astro_event_rate=30.0).check_results()
    message = str(caught.value)
    assert message.startswith("astro_event_rate = 28.0 in ")
    assert "30.0 in the configuration. Remove " in message


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
def test_a_rate_is_checked_before_the_long_tasks(volume, rate):
    with pytest.raises(UserError, match=r"astro_event_rate: .* is not a rate"):
        volume(astro_event_rate=rate).requires()


def test_the_volume_gets_what_it_needs(vetoed, volume, gates, monkeypatch):
    """And refuses vetoed times that were made otherwise."""
    given = {}
    monkeypatch.setattr(
        "plots.main.sensitive_volume",
        lambda *files, **settings: given.update(settings, files=files),
    )

    def run(task):
        required = task.requires()
        inputs = {name: each.output() for name, each in required.items()}
        monkeypatch.setattr(task, "input", lambda: inputs)
        task.run()

    run(volume(vetos=["GATES"], gates=gates))
    assert given["vetos"] == ("GATES",)
    assert given["astro_event_rate"] == 28.0
    assert given["veto_file"] == vetoed
    assert given["livetime"].name == "livetime.hdf5"
    with pytest.raises(UserError, match=r"gate_padding = 0\.375 in .*, 2\.0"):
        run(volume(vetos=["GATES"], gates=gates, gate_padding=2.0))
    run(volume())
    assert given["vetos"] == ()
    assert given["veto_file"] is None
