import json

import pytest
from conventions import segments
from conventions.errors import UserError
from datagen import cli
from datagen.vetos import VetoSources, vetos
from gwpy.segments import DataQualityDict, DataQualityFlag
from ledger.veto_set import VetoSet

IFOS = ["H1", "L1"]
SEARCHED = [(1000, 1100), (1200, 1300)]


@pytest.fixture
def sources(tmp_path, write_definer):
    """Flags, gates, segments and a catalogue in files."""
    definer = write_definer(
        tmp_path / "definer.xml",
        [
            ("H1", "BAD", 1, 1, 0, 1050, -4, 8, ""),
            ("H1", "BAD", 1, 2, 1050, 0, 0, 0, "the same, milder"),
            ("H1", "ODD", 1, 2, 0, 0, 0, 0, ""),
            ("L1", "BAD", 1, 1, 0, 0, 0, 0, ""),
            ("L1", "OLD", 1, 2, 0, 900, 0, 0, "over before the search"),
        ],
    )
    flags = DataQualityDict()
    for name, known, active in (
        ("H1:BAD:1", [(900, 1400)], [(1004, 1006), (1044, 1060)]),
        ("H1:ODD:1", [(1000, 1290)], [(1058, 1070)]),
        ("L1:BAD:1", [(900, 1400)], []),
    ):
        flags[name] = DataQualityFlag(name, known=known, active=active)
    flags.write(str(tmp_path / "flags.hdf5"))
    for ifo in IFOS:
        (tmp_path / f"gates-{ifo}.txt").write_text("1010 0.5 0.5\n")
        (tmp_path / f"segments-{ifo}.txt").write_text("1020 1030\n")
    (tmp_path / "catalog.csv").write_text("name,gps\nfirst,1040.5\n")
    return VetoSources(
        definer,
        tmp_path / "flags.hdf5",
        gates={ifo: tmp_path / f"gates-{ifo}.txt" for ifo in IFOS},
        segments={ifo: tmp_path / f"segments-{ifo}.txt" for ifo in IFOS},
        catalog=tmp_path / "catalog.csv",
    )


def make(tmp_path, categories, sources, ifos=IFOS):
    path = tmp_path / "vetos.hdf5"
    vetos(path, categories, ifos, SEARCHED, sources)
    return VetoSet.read(path)


def plain(found):
    return {
        category: {ifo: rows.tolist() for ifo, rows in by_ifo.items()}
        for category, by_ifo in found.intervals.items()
    }


def test_every_category(tmp_path, sources):
    asked = ["CATALOG", "CAT1", "CAT2", "GATES", "SEGMENTS"]
    found = make(tmp_path, asked, sources)
    assert plain(found) == {
        "CATALOG": {ifo: [[1039.5, 1041.5]] for ifo in IFOS},
        # padded by -4 and 8, then cut at 1050
        "CAT1": {"H1": [[1000, 1014], [1040, 1050]], "L1": []},
        # each flag of category 2, without those of category 1
        "CAT2": {"H1": [[1050, 1070]], "L1": []},
        "GATES": {ifo: [[1008.625, 1011.375]] for ifo in IFOS},
        "SEGMENTS": {ifo: [[1020, 1030]] for ifo in IFOS},
    }
    assert found.settings["vetos"] == asked
    assert found.settings["gates"]["H1"] == str(tmp_path / "gates-H1.txt")
    assert len(found.notes["sha256"]) == 7
    # Of what is searched, [1290, 1300) is not known.
    assert found.notes["warnings"] == [
        "flag H1:ODD:1 (CAT2) is not known in 10 of the 200 searched seconds "
        "to which it applies; it vetoes nothing there"
    ]


def test_one_interferometer_alone(tmp_path, sources):
    found = make(tmp_path, ["CAT1", "GATES"], sources, ifos=["L1"])
    assert plain(found) == {
        "CAT1": {"L1": []},
        "GATES": {"L1": [[1008.625, 1011.375]]},
    }


def test_segments_come_from_a_database(tmp_path, sources, segment_database):
    segment_database.flags = {
        # ends before the search begins, and reaches into it when padded
        ("H1", "BAD", 1): ([[900, 1400]], [[990, 995], [1299, 1310]]),
        ("H1", "ODD", 1): ([[900, 1400]], [[1299, 1310]]),
        ("L1", "BAD", 1): ([[900, 1400]], [[1000, 1001]]),
    }
    sources = VetoSources(
        sources.veto_definer_file, segment_host=segment_database.host
    )
    found = make(tmp_path, ["CAT1", "CAT2"], sources)
    assert plain(found) == {
        "CAT1": {"H1": [[988, 1003]], "L1": [[1000, 1001]]},
        "CAT2": {"H1": [[1299, 1308]], "L1": []},
    }
    assert found.notes["warnings"] == []
    # Nobody asks for a flag that ended before the search.
    assert not any("OLD" in path for path in segment_database.requests)


def test_what_is_not_asked_for_is_not_read(tmp_path, sources):
    for path in tmp_path.glob("*"):
        if not path.name.startswith("gates"):
            path.unlink()
    found = make(tmp_path, ["GATES"], sources)
    assert list(found.intervals) == ["GATES"]
    assert make(tmp_path, [], VetoSources()).intervals == {}


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        (["CAT0"], "category 'CAT0' is unknown, accepted are CAT1, CAT2"),
        (["GATE"], "category 'GATE' is unknown"),
        (["GATES", "GATES"], "not a list of different categories"),
        ("GATES", "not a list of different categories"),
        (["CAT1"], "CAT1 need a veto-definer file"),
        (["GATES"], "GATES needs a file for H1, L1"),
        (["SEGMENTS"], "SEGMENTS needs a file for H1, L1"),
        (["CATALOG"], "CATALOG needs a table of events"),
    ],
)
def test_what_is_missing_is_named(tmp_path, categories, message):
    with pytest.raises(UserError, match=message):
        make(tmp_path, categories, VetoSources())
    assert list(tmp_path.iterdir()) == []


def test_a_category_without_flags_is_an_error(tmp_path, sources):
    with pytest.raises(UserError, match="category CAT3 for H1, L1; it has CA"):
        make(tmp_path, ["CAT1", "CAT3"], sources)


def test_flags_of_another_time_are_warned_of(tmp_path, sources):
    found = make(tmp_path, ["CAT2"], sources, ifos=["L1"])
    assert plain(found) == {"CAT2": {"L1": []}}
    assert found.notes["warnings"] == [
        f"no flag of category CAT2 in {sources.veto_definer_file} applies to "
        "the searched time"
    ]


def test_gates_of_one_interferometer_do_not_do(tmp_path, sources):
    sources = VetoSources(gates={"H1": sources.gates["H1"]})
    with pytest.raises(UserError, match=r"file for L1 \(gates has H1\)"):
        make(tmp_path, ["GATES"], sources)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gate_padding": -1.0}, "gate_padding: -1.0"),
        ({"catalog_window": float("nan")}, "catalog_window: nan"),
        ({"flags_file": "a", "segment_host": "b"}, "both given"),
    ],
)
def test_sources_are_checked(arguments, message):
    with pytest.raises(UserError, match=message):
        VetoSources(**arguments)


def test_command(tmp_path, sources):
    segments.write(tmp_path / "segments.txt", SEARCHED)
    cli.main(
        [
            "vetos",
            f"--output={tmp_path / 'vetos.hdf5'}",
            "--categories=[GATES]",
            "--ifos=[H1,L1]",
            f"--segments={tmp_path / 'segments.txt'}",
            "--sources.gates="
            + json.dumps({k: str(v) for k, v in sources.gates.items()}),
        ]
    )
    found = VetoSet.read(tmp_path / "vetos.hdf5")
    assert found.intervals["GATES"]["L1"].tolist() == [[1008.625, 1011.375]]
