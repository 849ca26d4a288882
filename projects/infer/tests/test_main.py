from pathlib import Path

import numpy as np
import pytest
from conventions.errors import UserError
from export.main import export
from infer.client import InferenceError, StreamClient
from infer.data import SegmentReader
from infer.direct import DirectEngine
from infer.main import infer_segment, merge, read_injections, stream_outputs
from infer.settings import SearchSettings
from ledger.events import EventSet, RecoveredInjectionSet
from preprocessing.manifest import Manifest

WINDOWS = {
    "integration_window_length": 0.5,
    "cluster_window_length": 4.0,
    "recovery_window": 1.0,
}
# Not a whole number of outputs or requests.
SECONDS = 9548 / 256
SHIFTS = [0.0, 2.5]


@pytest.fixture
def strain(tiny):
    return tiny.noise(SECONDS)


@pytest.fixture
def background(tiny, strain, tmp_path):
    return tiny.write_background(tmp_path / "background.hdf5", strain)


@pytest.fixture
def injected(tiny):
    # Requests bring 4 s: signals cross edges at 16 s, 20 s and the
    # segment's start and end, and two overlap.
    offsets = [-0.1, 12.3, 16.1, 20.0, 20.2, 25.0, 34.7]
    return tiny.signals([tiny.start + x for x in offsets], SHIFTS)


def shifted(tiny, strain):
    delay = int(SHIFTS[1] * tiny.sample_rate)
    size = strain.shape[1] - delay
    return np.stack([strain[0, :size], strain[1, delay : delay + size]])


def reference(engine, stream):
    """One pass in a loop: each output from its own slice of the stream."""
    import torch

    manifest = engine.manifest
    config = manifest.preprocessing
    rate, batch = manifest.inference_sampling_rate, manifest.batch_size
    stride = int(config.sample_rate / rate)
    burn_in = int(manifest.psd_length * rate)
    count = stream.shape[-1] // stride
    outputs = np.full((len(stream), count), np.nan)
    zeros = np.zeros((*stream.shape[:2], 200 * config.kernel_size))
    padded = np.concatenate([zeros, stream], axis=-1).astype(np.float32)
    for n in range(burn_in, count):
        # The first output of the batch with this one, whose PSD it shares.
        first = burn_in + (n - burn_in) // batch * batch
        edge = zeros.shape[-1] + (first + 1) * stride
        begin = edge - config.window_size
        psd = engine.whitener.estimate(
            torch.from_numpy(
                padded[0, :, begin - engine.whitener.psd_size : begin]
            )
        )
        stop = begin + config.window_size + (batch - 1) * stride
        after = np.zeros((*stream.shape[:2], stop - begin), np.float32)
        part = padded[..., begin:stop]
        after[..., : part.shape[-1]] = part
        white = engine.whitener.whitener(torch.from_numpy(after), psd)
        left = (n - first) * stride
        with torch.inference_mode():
            kernel = white[..., left : left + config.kernel_size]
            outputs[:, n] = engine.network(kernel).flatten().numpy()
    return outputs


def test_stream_equals_one_pass(
    tiny, address, manifest, run_dir, strain, background, injected
):
    clean = shifted(tiny, strain)
    stream = np.stack([clean, injected.inject(clean, tiny.start)])
    engine = DirectEngine(run_dir, manifest)
    expected = reference(engine, stream)[:, 32:]
    assert expected.shape == (2, 139 - 32)
    assert np.ptp(expected[1] - expected[0]) > 0.1
    direct = engine.outputs(stream)
    assert np.isnan(direct[:, :32]).all()
    np.testing.assert_allclose(direct[:, 32:], expected, rtol=1e-4)
    with SegmentReader(
        background, tiny.ifos, tiny.sample_rate, SHIFTS
    ) as reader:
        both = stream_outputs(reader, manifest, address, injected)
        alone = stream_outputs(reader, manifest, address, None)
    np.testing.assert_allclose(both, expected, rtol=1e-4)
    np.testing.assert_allclose(alone, expected[:1], rtol=1e-4)


def test_three_ifos_and_an_odd_batch(tiny, triton_root, tmp_path):
    """A batch that does not divide the burn-in."""
    from infer.server import serve

    ifos = ("H1", "L1", "V1")
    tiny.train(tmp_path / "run", ifos)
    repository = tmp_path / "repository"
    manifest = export(
        tmp_path / "run",
        repository,
        psd_length=8.0,
        inference_sampling_rate=4.0,
        batch_size=13,
    )
    strain = tiny.noise(21.0, 3)
    path = tiny.write_background(tmp_path / "background.hdf5", strain)
    engine = DirectEngine(tmp_path / "run" / "model.pt", manifest)
    expected = reference(engine, strain[None])[:, 32:]
    np.testing.assert_allclose(
        engine.outputs(strain[None])[:, 32:], expected, rtol=1e-4
    )
    with (
        serve(
            repository,
            triton_root=triton_root,
            log_file=tmp_path / "log",
        ) as server,
        SegmentReader(path, ifos, tiny.sample_rate, [0.0] * 3) as reader,
    ):
        outputs = stream_outputs(reader, manifest, str(server), None)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4)


def test_batch_longer_than_the_burn_in(tiny, run_dir, manifest):
    import dataclasses

    engine = DirectEngine(
        run_dir, dataclasses.replace(manifest, batch_size=50)
    )
    strain = tiny.noise(21.0)[None]
    np.testing.assert_allclose(
        engine.outputs(strain)[:, 32:],
        reference(engine, strain)[:, 32:],
        rtol=1e-4,
    )


def test_sequence_of_one_request(tiny, address, manifest):
    rng = np.random.default_rng(1)
    update = rng.normal(size=(1, 2, 1024)).astype(np.float32)
    with StreamClient(address, timeout=20) as client:
        for _ in range(2):
            (answer,) = client.run([update])
            assert answer.shape == (1, 16)
        assert list(client.run([])) == []


def test_requests_are_bounded(address):
    sent, taken = 0, 0

    def updates():
        nonlocal sent
        for _ in range(12):
            sent += 1
            assert sent - taken <= 4
            yield np.ones((1, 2, 1024), np.float32)

    with StreamClient(address, timeout=20, max_in_flight=2) as client:
        for _ in client.run(updates()):
            taken += 1
    assert taken == 12


def test_error_of_a_request_is_raised(address):
    wrong = np.zeros((1, 2, 17), np.float32)
    with StreamClient(address, timeout=20) as client:
        with pytest.raises(InferenceError, match=r"shape.*17"):
            list(client.run([wrong]))
        # The client can go on.
        right = np.zeros((1, 2, 1024), np.float32)
        assert len(list(client.run([right, right]))) == 2


def test_changing_number_of_streams_is_an_error(address):
    one = np.zeros((1, 2, 1024), np.float32)
    two = np.zeros((2, 2, 1024), np.float32)
    with (
        StreamClient(address, timeout=20) as client,
        pytest.raises(InferenceError, match="began with 1 streams"),
    ):
        list(client.run([one, two]))


def test_no_server():
    with pytest.raises(UserError, match="no inference server answers"):
        StreamClient("127.0.0.1:9")


def test_manifest_of_server_is_compared(address, manifest):
    import dataclasses

    config = dataclasses.replace(manifest.preprocessing, highpass=40.0)
    other = dataclasses.replace(
        manifest, preprocessing=config, psd_length=16.0
    )
    with StreamClient(address) as client:
        client.check(manifest)
        with pytest.raises(UserError) as caught:
            client.check(other)
    message = str(caught.value)
    assert "highpass: 16.0 at" in message
    assert "40.0 in the manifest" in message
    assert "psd_length: 8.0 at" in message
    assert "16.0 in the manifest" in message


def arguments(tiny, background, address, manifest, tmp_path, name="one"):
    return {
        "background": background,
        "start": tiny.start,
        "stop": tiny.start + SECONDS,
        "address": address,
        "manifest": manifest,
        "background_output": tmp_path / name / "background.hdf5",
        **WINDOWS,
    }


def settings_of(manifest):
    return SearchSettings(
        psd_length=manifest.psd_length,
        inference_sampling_rate=manifest.inference_sampling_rate,
        batch_size=manifest.batch_size,
        weights_sha256=manifest.weights_sha256,
        **WINDOWS,
    )


def test_segments_and_merge(
    tiny, address, manifest, background, injected, tmp_path
):
    signals = tmp_path / "injections.hdf5"
    injected[1:6].write(signals)
    foregrounds, backgrounds = [], []
    for name, shifts in (("a", SHIFTS), ("b", [0.0, 5.0])):
        found = tmp_path / name / "foreground.hdf5"
        given = arguments(tiny, background, address, manifest, tmp_path, name)
        infer_segment(
            injections=signals,
            shifts=shifts,
            foreground_output=found,
            **given,
        )
        foregrounds.append(found)
        backgrounds.append(given["background_output"])
    given = arguments(tiny, background, address, manifest, tmp_path, "0")
    infer_segment(injections=None, shifts=[0.0, 0.0], **given)
    merge(
        backgrounds,
        foregrounds,
        [given["background_output"]],
        tmp_path / "infer",
        settings_of(manifest),
        injections=signals,
    )
    events = EventSet.read(tmp_path / "infer" / "background.hdf5")
    assert events.Tb == (139 - 32) / 4 + (129 - 32) / 4
    assert events.is_sorted_by("detection_statistic")
    assert {tuple(row) for row in events.shift} == {(0, 2.5), (0, 5)}
    assert np.all(events.detection_time > tiny.start + 8.0 - 0.75)
    recovered = RecoveredInjectionSet.read(
        tmp_path / "infer" / "foreground.hdf5"
    )
    # The signals belong to the first shift alone.
    assert len(recovered) == 5
    assert recovered.num_injections == 3 * 7
    assert recovered.Tb == events.Tb
    loud = recovered.detection_time[recovered.found]
    near = np.abs(loud - recovered.injection_time[recovered.found])
    assert len(near) >= 3
    assert np.all(near <= 1.0)
    unshifted = EventSet.read(tmp_path / "infer" / "0lag.hdf5")
    assert unshifted.Tb == (149 - 32) / 4
    assert SearchSettings.read(
        tmp_path / "infer" / "settings.json"
    ) == settings_of(manifest)


def test_merge_of_nothing(manifest, tmp_path):
    merge([], [], [], tmp_path, settings_of(manifest))
    assert len(EventSet.read(tmp_path / "0lag.hdf5")) == 0
    assert len(RecoveredInjectionSet.read(tmp_path / "foreground.hdf5")) == 0


def test_injections_need_an_output(tiny, background, manifest, tmp_path):
    given = arguments(tiny, background, "nowhere", manifest, tmp_path)
    with pytest.raises(UserError, match="foreground_output"):
        infer_segment(
            injections=tmp_path / "some.hdf5", shifts=SHIFTS, **given
        )


def test_injections_of_another_rate(tiny, manifest, injected, tmp_path):
    import dataclasses

    other = dataclasses.replace(injected, sample_rate=512.0, duration=1.0)
    other.write(tmp_path / "signals.hdf5")
    with pytest.raises(UserError, match=r"256 Hz expected.*512"):
        read_injections(
            tmp_path / "signals.hdf5",
            manifest,
            tiny.start,
            tiny.start + SECONDS,
            SHIFTS,
        )


def test_segment_too_short(tiny, address, manifest, tmp_path):
    path = tiny.write_background(tmp_path / "b.hdf5", tiny.noise(8.0))
    given = arguments(tiny, path, address, manifest, tmp_path)
    with pytest.raises(UserError, match="psd_length is 8 s"):
        infer_segment(
            injections=None,
            shifts=[0.0, 0.0],
            **given | {"stop": tiny.start + 8},
        )
    assert not given["background_output"].exists()


def test_manifest_of_training_is_refused(tiny, run_dir, background):
    manifest = Manifest.read(Path(run_dir) / "manifest.json")
    with (
        SegmentReader(
            background, tiny.ifos, tiny.sample_rate, [0.0, 0.0]
        ) as reader,
        pytest.raises(UserError, match="the one in the model repository"),
    ):
        stream_outputs(reader, manifest, "nowhere", None)
