"""What a user gives to workflows over segments: read strictly."""

import pytest
from conventions import segments

from aframe.tasks.fetch import FetchTest

GOOD = "0 1000 1100 100\n1 1100 1200 100\n"
MISTAKES = {
    "empty": ("# nothing\n", "segments: the list is empty"),
    "malformed": ("0 1000 1100\n", "line 1: '0 1000 1100' is not a segment"),
    "words": ("some words\n", "line 1: 'some words' is not a segment"),
    "overlap": (
        "0 1000 1100 100\n1 1050 1200 150\n",
        "[1000, 1100) and [1050, 1200) overlap",
    ),
    "twice": ("1000 1100\n1000 1100\n", "overlap"),
    "unsorted": (
        "0 2000 2100 100\n1 1000 1100 100\n",
        "are not in order of time",
    ),
    "duration": ("0 1000 1100 90\n", "does not have the duration 90"),
}


@pytest.fixture
def listed(tmp_path, run_environment):
    """Writes the list of the search."""
    path = tmp_path / "test" / "background" / "segments.txt"
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_bad_list_ends_a_fetch_in_a_message(law, listed, mistake):
    content, message = MISTAKES[mistake]
    listed.write_text(content)
    result = law("aframe.FetchTest")
    output = result.stdout + result.stderr
    assert result.returncode
    assert "Traceback" not in output
    assert f"{listed}" in output
    assert message in output
    assert list(listed.parent.iterdir()) == [listed]


@pytest.mark.parametrize("task", ["DeployTestingWaveforms", "InferSegments"])
def test_a_bad_list_ends_other_workflows_in_a_message(law, listed, task):
    content, message = MISTAKES["overlap"]
    listed.write_text(content)
    result = law(f"aframe.{task}")
    output = result.stdout + result.stderr
    assert result.returncode
    assert "Traceback" not in output
    assert message in output


def test_a_good_list_is_one_branch_a_segment(listed):
    segments.write(listed, [(1000, 1100), (1100, 1200)])
    given = listed.with_name("mine.txt")
    given.write_text(GOOD)
    plans = [
        FetchTest(
            ifos=["H1"],
            start=1000,
            end=1200,
            sample_rate=256,
            segments_file=str(path),
        ).branch_plan()
        for path in (listed, given)
    ]
    assert plans == [{0: (1000, 1100), 1: (1100, 1200)}] * 2


@pytest.mark.parametrize(
    ("task", "setting", "message"),
    [
        ("FetchTest", 'glitches = {"rate": 10}', "glitches: 'rate' is unkn"),
        ("FetchTest", 'psds = {"H1": 3, "L1": 3}', "psds: 3 is neither"),
        ("DeployTestingWaveforms", "Tb = -1", "Tb: -1.0 is not accepted"),
        ("DeployTestingWaveforms", 'shifts = ["0", "1"]', "shifts: ['0', '1"),
        (
            "InferSegments",
            "inference_sampling_rate = 0",
            "inference_sampling_rate: 0.0 is not accepted",
        ),
    ],
)
def test_a_value_without_meaning_ends_in_a_message(
    law, listed, write_config, task, setting, message
):
    segments.write(listed, [(1000, 1100)])
    config = write_config(f"[luigi_base]\n{setting}\n")
    result = law(f"aframe.{task}", LAW_CONFIG_FILE=str(config))
    output = result.stdout + result.stderr
    assert result.returncode
    assert "Traceback" not in output
    assert message in output
