"""What a model repository holds, and that nothing else is lost with it."""

import json
from pathlib import Path

from conventions.errors import UserError
from google.protobuf import text_format
from preprocessing.manifest import Manifest
from tritonclient.grpc.model_config_pb2 import ModelConfig

from export import configs
from export.network import FILES
from export.training import MANIFEST, WEIGHTS

VERSION = "1"
CONFIG = "config.pbtxt"
# What the Python backend runs.
SOURCE = "model.py"
# What the server's Python leaves beside it.
CACHE = "__pycache__"
MODELS = (configs.SNAPSHOTTER, configs.PREPROCESSOR, configs.NETWORK)


def contents(platform: str) -> set[Path]:
    """Files and directories that export writes, within a repository.

    Args:
        platform: how the server runs the network.
    """
    files = {Path(MANIFEST)}
    for name in (*MODELS, configs.ENSEMBLE):
        files |= {Path(name, CONFIG), Path(name, VERSION)}
    for name in MODELS:
        weights = FILES[platform] if name == configs.NETWORK else WEIGHTS
        files.add(Path(name, VERSION, weights))
        if platform == "python":
            files.add(Path(name, VERSION, SOURCE))
    return files | {path.parent for path in files} - {Path()}


def check_repository(repository: Path, clean: bool) -> None:
    """Check that nothing is lost by writing a repository there.

    Every file is looked at: a repository that export wrote can have got
    more versions of a model since, and one of the same models can be
    someone else's.

    Args:
        repository: the directory to be written.
        clean: whether a complete repository may be replaced.

    Raises:
        UserError: if it is not a directory, holds a file that export did
            not write, or is complete and may not be replaced.
    """
    if repository.exists() and not repository.is_dir():
        raise UserError(f"repository: {repository} is not a directory")
    found = {path.relative_to(repository) for path in repository.rglob("*")}
    if not found:
        return
    platform = _platform(repository)
    known = contents(platform) if platform in FILES else set()
    foreign = sorted(
        str(path) for path in found - known if not _is_cache(path, known)
    )
    if foreign:
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise UserError(
            f"repository: {repository} holds what export did not write: "
            f"{', '.join(foreign[:3])}{more}; name another directory, or "
            "move that elsewhere"
        )
    if Path(MANIFEST) in found and not clean:
        raise UserError(
            f"repository: {repository} is complete already; pass clean to "
            "replace it"
        )


def _is_cache(path: Path, known: set[Path]) -> bool:
    if path.name == CACHE:
        return path.with_name(SOURCE) in known
    return (
        path.parent.name == CACHE
        and path.parent.with_name(SOURCE) in known
        and path.match("model.*.pyc")
    )


def _platform(repository: Path) -> str | None:
    """Platform of the repository that is there, None of anything else.

    Where its manifest was lost, the ensemble still has it.
    """
    if (repository / MANIFEST).is_file():
        return Manifest.read(repository / MANIFEST).platform
    try:
        text = (repository / configs.ENSEMBLE / CONFIG).read_text()
        ensemble = text_format.Parse(text, ModelConfig())
        manifest = json.loads(ensemble.parameters["manifest"].string_value)
        return manifest["platform"]
    except (OSError, ValueError, KeyError, TypeError, text_format.ParseError):
        return None
