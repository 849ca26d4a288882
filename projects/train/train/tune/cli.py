"""The command line of a search.

``python -m train.tune --config CONFIG --tune.name NAME --tune.storage_dir DIR
...``: all options other than these are those of ``python -m train fit``.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from conventions.errors import UserError, exit_on_user_error
from storage import Location, is_remote, location

from train.locations import default_cache
from train.remote import Mirror
from train.tune import configuration, environment, space
from train.tune.configuration import Tree
from train.tune.search import Search
from train.tune.settings import TuneSettings
from train.tune.space import Choice, Distribution

OPTIONS: dict[str, tuple[type, str]] = {
    "name": (str, "of the search, its directory and its W&B group"),
    "storage_dir": (str, "holds the directories of searches"),
    "space": (Path, "YAML file of the search space"),
    "num_samples": (int, "trials"),
    "cpus_per_gpu": (float, "CPUs for each GPU; without GPUs, each process"),
    "gpus_per_worker": (float, "GPUs of each process, or a fraction of one"),
    "num_workers": (int, "processes of a trial"),
    "endpoint": (str, "host:port of a Ray cluster's client server"),
    "grace_period": (int, "epochs before which no trial is stopped"),
    "reduction_factor": (float, "one trial in so many goes on at a rung"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.tune",
        allow_abbrev=False,
        description="Search hyper-parameters with Ray Tune and ASHA. Options "
        "that are not listed here go to the training: see python -m train "
        "fit --help. What is listed under --tune can also be the section "
        "tune of a configuration file.",
    )
    parser.add_argument(
        "--config",
        type=Path,
        action="append",
        default=[],
        help="YAML file of the training; may be repeated",
    )
    parser.add_argument(
        "--run_dir",
        type=str,
        default=None,
        help="where the best trial's weights go, a path or s3://bucket/key; "
        "default: the directory of the search",
    )
    defaults = {f.name: f.default for f in fields(TuneSettings)}
    for name, (kind, text) in OPTIONS.items():
        value = defaults[name]
        shown = isinstance(value, int | float)
        parser.add_argument(
            f"--tune.{name}",
            type=kind,
            default=argparse.SUPPRESS,
            metavar=name.upper(),
            help=text + (f" (default {value})" if shown else ""),
        )
    return parser


def _settings(given: Mapping[str, Any], sections: Sequence[Any]) -> Any:
    """The search's settings: files first, then the command line."""
    values: dict[str, Any] = {}
    for section in sections:
        if not isinstance(section, Mapping):
            raise UserError(f"tune: {section!r} holds no settings by name")
        for key, value in section.items():
            if key not in OPTIONS:
                raise UserError(
                    f"tune.{key} is unknown, accepted are {', '.join(OPTIONS)}"
                )
            values[key] = _typed(key, value)
    values |= {
        key.removeprefix("tune."): value
        for key, value in given.items()
        if key.startswith("tune.")
    }
    required = ("name", "storage_dir", "space")
    missing = [f"tune.{key}" for key in required if key not in values]
    if missing:
        raise UserError(
            f"a search needs {', '.join(missing)}: give "
            f"{' '.join(f'--{key}' for key in missing)}"
        )
    if isinstance(values["space"], str | Path):
        values["space"] = configuration.load(Path(values["space"]))
    storage_dir = location(values["storage_dir"])
    if is_remote(storage_dir):
        raise UserError(
            f"tune.storage_dir: {storage_dir} is in a store; trials write to "
            "a directory that all machines of the cluster see, give one, and "
            "--run_dir s3://... for the weights of the best"
        )
    values["storage_dir"] = storage_dir.expanduser().absolute()
    return TuneSettings(**values)


def _typed(key: str, value: Any) -> Any:
    kind = OPTIONS[key][0]
    if value is None or (key == "space" and isinstance(value, Mapping)):
        return value
    try:
        if kind is int and value != int(value):
            raise ValueError
        return kind(value)
    except (TypeError, ValueError):
        raise UserError(
            f"tune.{key}: {value!r} is no {kind.__name__}"
        ) from None


def prepare(arguments: Sequence[str]) -> tuple[Search, Location]:
    """Read and check what is asked, before anything is started.

    Args:
        arguments: of the command line.

    Returns:
        The search, and where its best weights go.

    Raises:
        UserError: for settings that make no search.
        SystemExit: with code 2 and a message, for settings that the
            training refuses.
    """
    given, others = _parser().parse_known_args(arguments)
    configs = [configuration.load(path) for path in given.config]
    sections = [c.pop("tune") for c in configs if "tune" in c]
    settings = _settings(vars(given), sections)
    distributions = space.parse(settings.space)
    training = configuration.effective(configs, others)
    seed = training["seed_everything"]
    samples = space.draw(distributions, settings.num_samples, int(seed))
    for values in _telling(distributions, samples[0]):
        configuration.effective([configuration.vary(training, values)], [])
    search = Search(settings, training, samples)
    run_dir = location(given.run_dir) if given.run_dir else search.path
    return search, run_dir


def _telling(
    distributions: Mapping[str, Distribution], sample: Mapping[str, Any]
) -> list[Tree]:
    """Samples that show whether the training takes what may be drawn."""
    found = [dict(sample)]
    for name, distribution in distributions.items():
        if isinstance(distribution, Choice):
            others = [v for v in distribution.values if v != sample[name]]
            found += [{**sample, name: value} for value in others]
    return found


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: by default those of the process.
    """
    search, place = prepare(sys.argv[1:] if arguments is None else arguments)
    search.check()
    mirror = Mirror(place, default_cache()) if is_remote(place) else None
    run_dir = mirror.scratch if mirror else place
    if mirror:
        mirror.fetch()
    if search.is_placed(run_dir):
        sys.stdout.write(f"{search.path}: nothing to do\n")
        return
    try:
        _run(search)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run again to continue\n")
        raise SystemExit(130) from None
    best = search.best()
    search.place(run_dir, best)
    if mirror:
        mirror.clear()
        mirror.push()
    _report(search, best, place)


def _run(search: Search) -> None:
    environment.prepare(search.settings.endpoint)
    try:
        from train.tune import cluster, runner
    except ImportError as error:
        raise UserError(
            f"a search needs Ray ({error}): install train with the extra tune"
        ) from error
    with cluster.cluster(search.settings.endpoint):
        cluster.require(search.settings.resources)
        search.begin()
        runner.run(search.settings, search.write_trials(Path.cwd()))


def _report(search: Search, best: int, run_dir: Location) -> None:
    """Say how all trials went, the best one first."""
    rows = search.table()
    rows.sort(key=lambda row: -(row["valid_auroc"] or 0))
    rows.sort(key=lambda row: row["trial"] != best)
    for row in rows:
        score = row["valid_auroc"]
        text = "no score" if score is None else f"{score:.4f}"
        values = " ".join(f"{k}={v}" for k, v in row["parameters"].items())
        sys.stdout.write(
            f"trial-{row['trial']:03d}: {text} {row['outcome']} after "
            f"{row['epochs']} epochs; {values}\n"
        )
        if row["outcome"] in ("failed", "lost"):
            message = search.trial(row["trial"]).message()
            sys.stdout.write(f"  {message}\n")
    sys.stdout.write(f"{run_dir} has the weights of trial-{best:03d}\n")
