import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "install-triton"


def install(directory):
    return subprocess.run(
        [sys.executable, SCRIPT, directory],
        capture_output=True,
        text=True,
        check=False,
    )


def test_installation_is_kept(triton_root):
    marker = triton_root / "installed.txt"
    before = marker.stat().st_mtime_ns
    done = install(triton_root)
    assert done.returncode == 0, done.stderr
    assert "already installed" in done.stdout
    assert marker.stat().st_mtime_ns == before


def test_foreign_directory_is_left_alone(tmp_path):
    (tmp_path / "precious").touch()
    done = install(tmp_path)
    assert done.returncode == 2
    assert "holds something else" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
