"""Repositories for the Python backend, on the real server."""

import os
import queue
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import tritonclient.grpc as triton
from export.main import export
from preprocessing.manifest import Manifest

server = pytest.importorskip("infer.server", reason="infer is not installed")
ROOT = Path(__file__).resolve().parents[3]
WAIT = 120


@pytest.fixture(scope="session")
def triton_root(need):
    """Where the server is installed."""
    path = Path(os.environ.get("AFRAME_TRITON_ROOT") or ROOT / ".triton")
    reason = f"there is no server in {path}: run scripts/install-triton"
    need("triton", (path / "pytriton").is_dir(), reason)
    return path


@pytest.fixture
def start(triton_root, tmp_path):
    @contextmanager
    def run(repository):
        log = tmp_path / "server.log"
        with server.serve(
            repository, triton_root=triton_root, log_file=log, timeout=WAIT
        ) as address:
            yield address.grpc

    return run


@contextmanager
def sequence(address, number):
    """Sends requests of one sequence and waits for their answers."""
    answers = queue.Queue()
    client = triton.InferenceServerClient(address)
    client.start_stream(lambda result, error: answers.put((result, error)))
    sent = 0

    def send(updates, last=True):
        nonlocal sent
        first = sent
        for update in updates:
            tensor = triton.InferInput("strain", update.shape, "FP32")
            tensor.set_data_from_numpy(update.numpy())
            client.async_stream_infer(
                "aframe-stream",
                [tensor],
                request_id=str(sent),
                sequence_id=number,
                sequence_start=sent == 0,
                sequence_end=last and sent == first + len(updates) - 1,
            )
            sent += 1
        found = {}
        for _ in range(first, sent):
            result, error = answers.get(timeout=WAIT)
            assert error is None, error
            values = result.as_numpy("detection_statistic")
            found[int(result.get_response().id)] = torch.from_numpy(values)
        return torch.stack([found[i] for i in range(first, sent)])

    try:
        yield send
    finally:
        client.stop_stream(cancel_requests=True)
        client.close()


def ask(address, number, updates):
    with sequence(address, number) as send:
        return send(updates)


def strain(manifest, requests, streams, seed):
    rate = manifest.inference_sampling_rate
    settings = manifest.preprocessing
    size = round(manifest.batch_size / rate * settings.sample_rate)
    generator = torch.Generator().manual_seed(seed)
    shape = (requests, streams, settings.num_ifos, size)
    return 1e-21 * torch.randn(shape, generator=generator)


def statistics(address, model, count):
    """Of a model, once so many are counted: that is after the answers."""
    deadline = time.monotonic() + 30
    with triton.InferenceServerClient(address) as client:
        while True:
            found = client.get_inference_statistics(model).model_stats[0]
            if found.inference_count >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.05)


def test_sequences_share_batches_of_the_network(
    train, specs, tmp_path, repository, settings, start, reference
):
    train(tmp_path / "training", specs=(specs.time, specs.frequency))
    manifest = export(
        tmp_path / "training", repository, streams_per_gpu=4, **settings
    )
    updates = {
        number: strain(manifest, 24, 1 + number % 2, seed=number)
        for number in range(1, 7)
    }
    found = {}

    def search(number):
        found[number] = ask(address, number, updates[number])

    with start(repository) as address:
        threads = [
            threading.Thread(target=search, args=(number,))
            for number in updates
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # 6 sequences, two of them waiting, of 24 requests of 8 or 16 kernels
        count = 3 * 24 * (8 + 16)
        shared = statistics(address, "aframe", count)
    for number, answers in found.items():
        expected = torch.stack(
            list(reference(tmp_path / "training", manifest, updates[number]))
        )
        assert answers.shape == expected.shape
        torch.testing.assert_close(answers, expected, rtol=1e-5, atol=1e-5)
    assert shared.inference_count == count
    assert shared.execution_count < 6 * 24
    sizes = [entry.batch_size for entry in shared.batch_stats]
    assert 16 < max(sizes) <= 64


def test_export_beside_a_running_server(
    train, specs, run_dir, tmp_path, repository, settings, start, reference
):
    """It serves what it has loaded; one started anew serves the new."""
    manifest = export(run_dir, repository, **settings)
    updates = strain(manifest, 40, 2, seed=0)
    old = torch.stack(list(reference(run_dir, manifest, updates)))
    heterodyned = tmp_path / "heterodyned"
    train(heterodyned, specs=(specs.slow,))
    done = threading.Event()

    def replace():
        for _ in range(3):
            export(heterodyned, repository, clean=True, **settings)
        done.set()

    with start(repository) as address:
        thread = threading.Thread(target=replace)
        with sequence(address, 1) as send:
            thread.start()
            found = []
            while not done.is_set() and len(found) < len(updates) - 1:
                update = updates[len(found)]
                found.append(send(update[None], last=False))
            thread.join()
            assert done.is_set()
            found.append(send(updates[len(found)][None]))
        torch.testing.assert_close(
            torch.cat(found), old[: len(found)], rtol=1e-5, atol=1e-5
        )
        again = ask(address, 2, updates[:4])
        torch.testing.assert_close(again, old[:4], rtol=1e-5, atol=1e-5)
    manifest = Manifest.read(repository / "manifest.json")
    assert manifest.inputs == (specs.slow,)
    new = torch.stack(list(reference(heterodyned, manifest, updates[:6])))
    with start(repository) as address:
        answers = ask(address, 3, updates[:6])
    torch.testing.assert_close(answers, new, rtol=1e-5, atol=1e-5)
    assert (new[:4] - old[:4]).abs().max() > 0.1
