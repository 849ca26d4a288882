"""The numbers of an analysis as HDF5."""

from pathlib import Path

import h5py
from conventions.files import complete
from ledger.intervals import ONE_SIGMA

from plots.analysis import Analysis
from plots.rates import CumulativeRate


def _dataset(
    group: h5py.Group, name: str, values: object, unit: str, text: str
) -> None:
    dataset = group.create_dataset(name, data=values)
    dataset.attrs["unit"] = unit
    dataset.attrs["description"] = text


def _rate(group: h5py.Group, curve: CumulativeRate) -> None:
    low, high = curve.band(ONE_SIGMA)
    group.attrs["livetime"] = curve.livetime
    for name, values, unit, text in (
        ("statistic", curve.statistic, "", "detection statistic, descending"),
        ("ifar", curve.ifar, "yr", "inverse false-alarm rate"),
        ("count", curve.count, "", "events with at least this statistic"),
        ("rate", curve.rate, "1/yr", "count over livetime"),
        ("rate_low", low, "1/yr", "lower end of the 68.27% interval"),
        ("rate_high", high, "1/yr", "upper end of the 68.27% interval"),
    ):
        _dataset(group, name, values, unit, text)


def write(analysis: Analysis, path: Path) -> None:
    """Write the numbers of an analysis.

    Root datasets ``far`` (1/yr, ascending) and ``threshold``, both of shape
    ``(far,)``; root attribute ``total_volume`` (Gpc^3). Group
    ``populations`` holds one group a population, named like ``35-20``, with
    ``volume`` and ``error`` (Gpc^3, shape ``(far,)``) and the attributes
    ``mass_1_source``, ``mass_2_source``, ``width``, ``ess``, ``ess_kept``
    and ``coverage``. Groups ``background`` and, when it was searched,
    ``zero_lag`` hold cumulative rates (``statistic``, ``ifar``, ``count``,
    ``rate``, ``rate_low``, ``rate_high``; attribute ``livetime`` in s).
    Every dataset says its unit and meaning in its attributes.

    Args:
        analysis: what to write.
        path: the file, complete or absent.
    """
    with complete(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["total_volume"] = analysis.total_volume
        _dataset(file, "far", analysis.far, "1/yr", "false-alarm rate")
        _dataset(
            file,
            "threshold",
            analysis.thresholds,
            "",
            "smallest detection statistic at this false-alarm rate",
        )
        populations = file.create_group("populations")
        for row in analysis.volumes:
            group = populations.create_group(row.population.name)
            group.attrs.update(
                mass_1_source=row.population.mass_1_source,
                mass_2_source=row.population.mass_2_source,
                width=row.population.width,
                ess=row.ess,
                ess_kept=row.ess_kept,
                coverage=row.coverage,
            )
            _dataset(group, "volume", row.volume, "Gpc3", "sensitive volume")
            _dataset(group, "error", row.error, "Gpc3", "its 1-sigma error")
        _rate(file.create_group("background"), analysis.background)
        if analysis.zero_lag is not None:
            _rate(file.create_group("zero_lag"), analysis.zero_lag)
