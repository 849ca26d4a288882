import pytest
from plots.cli import main


def arguments(search, directory):
    paths = search.write(directory)
    return [
        *(f"--{name}={path}" for name, path in paths.items()),
        f"--output_dir={directory / 'out'}",
        "--ifos=[H1,L1]",
        "--astro_event_rate=28",
    ]


def test_command(make_search, tmp_path, capsys):
    search = make_search(draws=1000)
    main(
        [
            *arguments(search, tmp_path),
            f"--prior={search.prior}",
            '--populations=[{"mass_1_source": 30, "mass_2_source": 30}]',
        ]
    )
    assert f"report: {tmp_path / 'out/report.html'}" in capsys.readouterr().out
    assert "30-30" in (tmp_path / "out/summary.json").read_text()


def test_error_is_one_message(make_search, tmp_path, capsys):
    search = make_search(draws=100)
    with pytest.raises(SystemExit) as caught:
        main([*arguments(search, tmp_path), "--prior=priors.priors.nothing"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "priors.priors.nothing" in error


def test_options(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    options = capsys.readouterr().out
    for name in (
        "background",
        "foreground",
        "rejected",
        "zero_lag",
        "output_dir",
        "prior",
        "prior_arguments",
        "ifos",
        "populations",
        "reference_far",
        "snr_bins",
        "snr_summary_bins",
        "astro_event_rate",
        "vetos",
        "veto_file",
        "livetime",
    ):
        assert f"--{name} " in options
