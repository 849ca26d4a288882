import numpy as np
import pytest
import torch
from infer.settings import SearchSettings
from ledger.events import EventSet
from p_astro import Pastro
from p_astro.background import KdeAndPolynomialBackground
from p_astro.foreground import KdeForeground
from preprocessing.config import Preprocessing
from preprocessing.manifest import InputSpec, Manifest, sha256

STATISTICS = np.linspace(0.2, 1.0, 800)


@pytest.fixture(scope="session")
def event_files(real_data, need):
    """Paths of the real files of an event by its file's start time."""

    def files(start):
        paths = [
            real_data / "events" / f"{ifo[0]}-{ifo}_LOSC_4_V2-{start}-32.hdf5"
            for ifo in ("H1", "L1")
        ]
        absent = [str(path) for path in paths if not path.is_file()]
        need("data", not absent, f"there is no {', '.join(absent)}")
        return paths

    return files


@pytest.fixture(autouse=True)
def one_thread():
    """Many small tensors are slower on many busy cores than on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Energy(torch.nn.Module):
    """Statistic of coincident power: log of the smallest ifo's loudest.

    A stand-in for a network, which finds what is as loud as GW150914.
    """

    def __init__(self, sample_rate: float) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.size = int(sample_rate / 16)
        self.left = int(0.25 * sample_rate)
        self.right = int(0.05 * sample_rate)

    def forward(self, X):
        spectrum = torch.fft.rfft(X)
        frequency = torch.fft.rfftfreq(X.size(-1), 1 / self.sample_rate)
        band = (frequency > 35) & (frequency < 250)
        x = torch.fft.irfft(spectrum * band, n=X.size(-1))
        x = x[..., self.left : -self.right]
        power = torch.nn.functional.avg_pool1d(x**2, self.size, self.size // 4)
        power = power / power.median(-1, keepdim=True).values
        return power.amin(1).amax(-1, keepdim=True).log()


@pytest.fixture
def make_p_astro():
    """Makes a model with signals that are louder than the noise."""

    def make(rate=28.0, **origin):
        rng = np.random.default_rng(0)
        background = KdeAndPolynomialBackground.from_arrays(
            rng.normal(0.6, 0.2, 3000), 8 * 3600.0
        )
        foreground = KdeForeground.from_arrays(
            rng.normal(2, 0.5, 3000), np.full(3000, 1e-4), 20.0, rate
        )
        return Pastro(foreground, background, origin)

    return make


@pytest.fixture
def make_run(tmp_path):
    """Makes the files of a run with a stand-in for the network."""

    def make(statistics=STATISTICS, Tb=8 * 3600.0, psd_length=64.0):
        directory = tmp_path / "run"
        for name in ("training", "results/model_repository", "results/infer"):
            (directory / name).mkdir(parents=True)
        weights = directory / "training" / "model.pt"
        config = Preprocessing(
            ifos=("H1", "L1"),
            sample_rate=1024.0,
            kernel_length=1.5,
            fduration=1.0,
            highpass=32.0,
        )
        torch.jit.script(Energy(config.sample_rate)).save(weights)
        trained = Manifest(
            preprocessing=config,
            left_pad=0.25,
            right_pad=0.05,
            inputs=(InputSpec("X", (2, config.kernel_size)),),
            weights_sha256=sha256(weights),
        )
        trained.write(directory / "training" / "manifest.json")
        served = {
            "psd_length": psd_length,
            "inference_sampling_rate": 4.0,
            "batch_size": 128,
        }
        trained.extended(**served, platform="python").write(
            directory / "results" / "model_repository" / "manifest.json"
        )
        infer = directory / "results" / "infer"
        SearchSettings(
            integration_window_length=1.0,
            cluster_window_length=8.0,
            recovery_window=2.0,
            weights_sha256=trained.weights_sha256,
            **served,
        ).write(infer / "settings.json")
        count = len(statistics)
        EventSet(
            detection_statistic=np.array(statistics, dtype=float),
            detection_time=np.arange(count) * 100.0,
            shift=np.tile([0.0, 1.0], (count, 1)),
            Tb=Tb,
        ).write(infer / "background.hdf5")
        return directory

    return make
