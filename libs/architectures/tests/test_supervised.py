import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from architectures import supervised
from architectures.autoencoder import ConvolutionalAutoencoder
from conventions.errors import UserError

README = Path(__file__).parents[1] / "README.md"
SMALL = {"layers": [1, 1]}
TIME = {"time_layers": [1, 1], "time_classes": 4}
NETWORKS = {
    "TimeDomainResNet": SMALL,
    "FrequencyDomainResNet": SMALL,
    "SpectrogramDomainResNet": SMALL,
    "MultiModalResNet": {**TIME, "freq_layers": [1, 1], "freq_classes": 4},
    "TimeSpectrogramResNet": {**TIME, "spec_layers": [1, 1]},
    "TimeDomainFilterBank": {"num_filters": 3, "filter_size": 64},
    "TimeDomainNarrowResNet": {},
    "TimeDomainWaveNet": {"res_channels": 8, "layers_per_block": 4},
    "TimeDomainXylophone": {"octaves": [[1], [1, 1], [2]]},
    "S4Model": {"d_model": 8, "d_state": 4, "n_layers": 2},
}


def create(name, num_ifos=2):
    return getattr(supervised, f"Supervised{name}")(num_ifos, **NETWORKS[name])


def inputs(name, batch, num_ifos=2, size=512):
    """Noise in the shapes of a network's documentation."""
    series = torch.randn(batch, num_ifos, size)
    spectrum = torch.randn(batch, 2 * num_ifos, size // 2)
    image = torch.randn(batch, num_ifos, 32, size // 16)
    return {
        "FrequencyDomainResNet": (spectrum,),
        "SpectrogramDomainResNet": (image,),
        "MultiModalResNet": (series, spectrum),
        "TimeSpectrogramResNet": (series, image),
    }.get(name, (series,))


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(params=NETWORKS)
def name(request):
    torch.manual_seed(1)
    return request.param


def test_every_network_is_tested():
    names = {f"Supervised{name}" for name in NETWORKS}
    assert names == set(supervised.__all__)


@pytest.mark.parametrize("num_ifos", [1, 3])
@pytest.mark.parametrize("size", [512, 777])
def test_one_logit_per_kernel(name, num_ifos, size):
    network = create(name, num_ifos)
    for batch in (1, 3):
        X = inputs(name, batch, num_ifos, size)
        assert network(*X).shape == (batch,)


def test_samples_of_a_batch_do_not_mix(name):
    network = create(name).eval()
    X = inputs(name, 4)
    part = network(*(x[2:3] for x in X))
    torch.testing.assert_close(network(*X)[2:3], part)


def test_gradient_reaches_every_parameter_and_input(name):
    network = create(name)
    X = [x.requires_grad_() for x in inputs(name, 4)]
    network(*X).square().sum().backward()
    for parameter in network.parameters():
        assert parameter.grad.abs().max() > 0
    for x in X:
        assert (x.grad.abs().amax((0, *range(2, x.dim()))) > 0).all()


def test_trace_serves_any_batch(name):
    network = create(name).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        traced = torch.jit.trace(network, inputs(name, 2))
    for batch in (1, 5):
        X = inputs(name, batch)
        torch.testing.assert_close(traced(*X), network(*X))


def test_seed_decides_weights_and_outputs(name):
    X = inputs(name, 2)
    outputs = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        outputs.append(create(name)(*X))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_state_is_restored(name):
    X = inputs(name, 2)
    saved = create(name).eval()
    other = create(name).eval()
    other.load_state_dict(saved.state_dict())
    assert torch.equal(other(*X), saved(*X))


def test_autocast_gives_finite_logits(name):
    X = inputs(name, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert create(name).eval()(*X).isfinite().all()


@pytest.mark.parametrize("domain", ["MultiModal", "TimeSpectrogram"])
def test_fused_statistic_is_no_sum_over_the_branches(domain):
    torch.manual_seed(1)
    network = getattr(supervised, f"Supervised{domain}ResNet")(2)
    # as noise changes the features of untrained branches very little
    branches = list(network.children())[:2]
    for branch in branches:
        branch.forward = lambda features: features
    a, b, c, d = torch.randn(4, 100, 64)
    mixed = network(a, b) - network(c, b) - network(a, d) + network(c, d)
    assert mixed.abs().max() > 0.1


def resnet_parameters(channels, layers, taps=3, axes=1):
    """Number of weights of a ResNet, counted by its definition."""
    total = 64 * channels * 7**axes + 2 * 64
    previous = 64
    for stage, blocks in enumerate(layers):
        width = 64 * 2**stage
        for i in range(blocks):
            total += (previous + width) * width * taps**axes + 4 * width
            if i == 0 and stage > 0:
                total += previous * width + 2 * width
            previous = width
    return total + previous + 1


def test_sizes_of_the_published_and_the_narrow_network():
    published = supervised.SupervisedTimeDomainResNet(2)
    assert parameters(published) == 7_219_201
    assert resnet_parameters(2, [3, 4, 6, 3]) == 7_219_201
    narrow = supervised.SupervisedTimeDomainNarrowResNet(2)
    assert parameters(narrow) == 132_513


def test_readme_lists_every_network_and_its_size():
    listed = {}
    for line in README.read_text().splitlines():
        if line.startswith("| `"):
            name, _, size, _ = line.strip("| ").split(" | ")
            listed[name.strip("`")] = int(size.replace(" ", ""))
    networks = {name: getattr(supervised, name) for name in supervised.__all__}
    networks["ConvolutionalAutoencoder"] = ConvolutionalAutoencoder
    sizes = {name: parameters(make(2)) for name, make in networks.items()}
    assert listed == sizes


@pytest.mark.parametrize(
    ("name", "channels", "axes"),
    [("FrequencyDomainResNet", 6, 1), ("SpectrogramDomainResNet", 3, 2)],
)
def test_size_of_the_other_resnets(name, channels, axes):
    expected = resnet_parameters(channels, [1, 1], axes=axes)
    assert parameters(create(name, 3)) == expected


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        *((name, {"num_ifos": 0}, "num_ifos: 0 must") for name in NETWORKS),
        *(
            (name, {"num_ifos": 2.0}, "num_ifos: 2.0 must")
            for name in NETWORKS
        ),
        ("TimeDomainResNet", {"layers": [3]}, r"layers: \[3\] must"),
        ("FrequencyDomainResNet", {"layers": [3, 0]}, r"layers: \[3, 0\]"),
        ("SpectrogramDomainResNet", {"kernel_size": 4}, "kernel_size: 4"),
        ("TimeDomainResNet", {"norm_groups": 3}, "3 groups do not divide"),
        ("MultiModalResNet", {"time_classes": 0}, "time_classes: 0 must"),
        ("MultiModalResNet", {"freq_classes": 0}, "freq_classes: 0 must"),
        ("TimeSpectrogramResNet", {"spec_classes": 0}, "spec_classes: 0"),
        ("TimeSpectrogramResNet", {"spec_layers": [1]}, r"layers: \[1\]"),
        ("TimeDomainFilterBank", {"num_filters": 0}, "num_filters: 0 must"),
        ("TimeDomainFilterBank", {"filter_size": 0}, "filter_size: 0 must"),
        ("TimeDomainFilterBank", {"stride": 1.5}, "stride: 1.5 must"),
        ("TimeDomainFilterBank", {"max_delay": -1}, "max_delay: -1 must"),
        ("TimeDomainFilterBank", {"sample_rate": 0.0}, "sample_rate: 0.0:"),
        (
            "TimeDomainFilterBank",
            {"min_chirp_mass": 50.0},
            "min_chirp_mass: 50.0, max_chirp_mass: 45.0: must be",
        ),
        ("TimeDomainNarrowResNet", {"kernel_size": 4}, "kernel_size: 4 must"),
        ("TimeDomainNarrowResNet", {"stem_size": 4}, "stem_size: 4 must be"),
        ("TimeDomainNarrowResNet", {"stem_stride": 0}, "stem_stride: 0 must"),
        ("TimeDomainNarrowResNet", {"channels": []}, r"channels: \[\] must"),
        ("TimeDomainNarrowResNet", {"norm_groups": 7}, "7 groups do not"),
        ("TimeDomainWaveNet", {"kernel_size": 1}, "kernel_size: 1 must"),
        ("TimeDomainWaveNet", {"num_blocks": 0}, "num_blocks: 0 must"),
        ("TimeDomainWaveNet", {"res_channels": 0}, "res_channels: 0 must"),
        ("TimeDomainXylophone", {"octaves": []}, r"octaves: \[\] must"),
        ("TimeDomainXylophone", {"octaves": [[1], []]}, r"octaves: \[1, 0\]"),
        ("TimeDomainXylophone", {"octaves": [[1], [0]]}, r"octaves\[1\]: \[0"),
        ("TimeDomainXylophone", {"kernel_size": 6}, "kernel_size: 6 must"),
        ("S4Model", {"d_state": 5}, "d_state: 5 must be even"),
        ("S4Model", {"n_layers": 0}, "n_layers: 0 must"),
        ("S4Model", {"dropout": 1.0}, r"dropout: 1.0 must be in \[0, 1\)"),
        ("S4Model", {"dt_min": 0.2}, "dt_min: 0.2, dt_max: 0.1: must be"),
        ("S4Model", {"dt_min": 0.0}, "dt_min: 0.0, dt_max: 0.1: must be"),
        ("S4Model", {"dt_max": float("nan")}, "dt_max: nan: must be"),
    ],
)
def test_meaningless_arguments_are_refused(name, wrong, message):
    network = getattr(supervised, f"Supervised{name}")
    with pytest.raises(UserError, match=message):
        network(**{"num_ifos": 2, **wrong})


CONSTRUCT = """
import warnings, ml4gw, torch
warnings.simplefilter("error", DeprecationWarning)
warnings.simplefilter("error", FutureWarning)
from architectures import autoencoder, supervised
for name in supervised.__all__:
    getattr(supervised, name)(2)
network = autoencoder.ConvolutionalAutoencoder(2)
network(torch.randn(1, 2, 64))
"""


def test_nothing_deprecated_is_used():
    subprocess.run([sys.executable, "-c", CONSTRUCT], check=True)
