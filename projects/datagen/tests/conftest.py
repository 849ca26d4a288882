"""Fixtures: power spectral densities, servers of open data and flags."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from datagen.psds import Psd

EVENT_START = 1126259446


@pytest.fixture(scope="session")
def flat_psd() -> Psd:
    return Psd(np.array([0.0, 4096.0]), np.array([1e-46, 1e-46]), "flat")


class LocalServer:
    """A server on this machine; notes the paths that it was asked for."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def send(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


class OpenDataServer(LocalServer):
    """Answers what the clients of GWOSC ask, from dictionaries.

    ``segments`` maps a flag to its segments, ``files`` an ifo to paths of
    strain files; names in ``broken`` are answered by 404 instead. Lists
    come in pages of one entry.
    """

    def __init__(self) -> None:
        super().__init__()
        self.segments: dict[str, list[tuple[int, int]]] = {}
        self.files: dict[str, list[Path]] = {}
        self.broken: set[str] = set()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append(request.path)
        address = urlsplit(request.path)
        asked = {k: v[0] for k, v in parse_qs(address.query).items()}
        match address.path.strip("/").split("/"):
            case ["files", name]:
                self._send_file(request, name)
            case ["api", "v2", "timelines", flag, "segments"]:
                found = self.segments.get(flag)
                entries = found and [{"start": a, "stop": b} for a, b in found]
                self._send_page(request, entries, address.path, asked)
            case ["api", "v2", "event-versions"]:
                self._send_page(request, [], address.path, asked)
            case ["api", "v2", "runs"]:
                run = {
                    "name": "O1",
                    "detectors": list(self.files),
                    "gps_start": 1126051217,
                    "gps_end": 1137254417,
                }
                self._send_page(request, [run], address.path, asked)
            case ["api", "v2", "runs", "O1", "strain-files"]:
                entries = [
                    {"hdf5_url": f"{self.host}/files/{path.name}"}
                    for path in self.files[asked["detector"]]
                ]
                self._send_page(request, entries, address.path, asked)
            case _:
                request.send_error(404)

    def _send_file(self, request: BaseHTTPRequestHandler, name: str) -> None:
        paths = [p for some in self.files.values() for p in some]
        found = [p for p in paths if p.name == name]
        if name in self.broken or not found:
            request.send_error(404)
        else:
            self.send(request, found[0].read_bytes())

    def _send_page(
        self,
        request: BaseHTTPRequestHandler,
        entries: list[dict] | None,
        path: str,
        asked: dict[str, str],
    ) -> None:
        if entries is None:
            request.send_error(404)
            return
        page = int(asked.pop("page", 0))
        asked["page"] = str(page + 1)
        query = "&".join(f"{k}={v}" for k, v in asked.items())
        more = page + 1 < len(entries)
        answer = {
            "num_pages": max(len(entries), 1),
            "results": entries[page : page + 1],
            "next": f"{self.host}{path}?{query}" if more else None,
        }
        self.send(request, json.dumps(answer).encode())


class SegmentDatabase(LocalServer):
    """Answers what the client of DQSEGDB asks, from a dictionary.

    ``flags`` maps ifo, name and version to known and active segments.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flags: dict[tuple[str, str, int], tuple[list, list]] = {}

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append(request.path)
        match urlsplit(request.path).path.strip("/").split("/"):
            case ["dq", ifo, name]:
                versions = [
                    v for i, n, v in self.flags if (i, n) == (ifo, name)
                ]
                answer = {"version": versions, "resource_type": "version"}
            case ["dq", ifo, name, version]:
                found = self.flags.get((ifo, name, int(version)))
                answer = found and {
                    "ifo": ifo,
                    "name": name,
                    "version": int(version),
                    "known": found[0],
                    "active": found[1],
                }
            case _:
                answer = None
        if answer is None:
            request.send_error(404)
        else:
            self.send(request, json.dumps(answer).encode())


@pytest.fixture
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def segment_database(without_proxy: None) -> Iterator[SegmentDatabase]:
    """A database without flags."""
    with SegmentDatabase() as server:
        yield server


@pytest.fixture
def open_data(without_proxy: None) -> Iterator[OpenDataServer]:
    """A server without data."""
    with OpenDataServer() as server:
        yield server


@pytest.fixture
def event_data(open_data: OpenDataServer, real_data: Path) -> OpenDataServer:
    """A server of 32 s around GW150914."""
    for ifo in ("H1", "L1"):
        pattern = f"*-{ifo}_LOSC_4_V2-{EVENT_START}-32.hdf5"
        (path,) = (real_data / "events").glob(pattern)
        open_data.files[ifo] = [path]
        open_data.segments[f"{ifo}_DATA"] = [(EVENT_START, EVENT_START + 32)]
    return open_data


DEFINER_COLUMNS = {
    "ifo": "lstring",
    "name": "lstring",
    "version": "int_4s",
    "category": "int_4s",
    "start_time": "int_4s",
    "end_time": "int_4s",
    "start_pad": "int_4s",
    "end_pad": "int_4s",
    "comment": "lstring",
}


def _write_definer(
    path: Path,
    rows: list[tuple],
    names: Sequence[str] = tuple(DEFINER_COLUMNS),
) -> Path:
    """Write a veto definer as the public ones are."""
    columns = {name: DEFINER_COLUMNS[name] for name in names}
    heads = "".join(
        f'<Column Name="veto_definer:{name}" Type="{kind}"/>'
        for name, kind in columns.items()
    )
    lines = ",\n".join(
        ",".join(
            ""
            if value is None
            else f'"{value}"'
            if kind == "lstring"
            else f"{value}"
            for value, kind in zip(row, columns.values(), strict=True)
        )
        for row in rows
    )
    path.write_text(
        "<?xml version='1.0' encoding='utf-8'?>\n"
        "<!DOCTYPE LIGO_LW SYSTEM "
        '"http://ldas-sw.ligo.caltech.edu/doc/ligolwAPI/html/ligolw_dtd.txt">'
        '<LIGO_LW><Table Name="veto_definer:table">'
        f"{heads}"
        '<Stream Delimiter="," Name="veto_definer:table" Type="Local">'
        f"{lines}</Stream></Table></LIGO_LW>"
    )
    return path


@pytest.fixture(scope="session")
def write_definer() -> Callable[..., Path]:
    return _write_definer
