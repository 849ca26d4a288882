import dataclasses

import pytest
from conventions.errors import UserError
from preprocessing.config import Preprocessing, whole_samples

SETTINGS = {
    "ifos": ["H1", "L1"],
    "sample_rate": 1024,
    "kernel_length": 1.5,
    "fduration": 1,
    "highpass": 32,
}


def test_sizes_and_defaults():
    config = Preprocessing(**SETTINGS)
    assert config.ifos == ("H1", "L1")
    assert config.num_ifos == 2
    assert config.fftlength == 2.5
    assert config.lowpass is None
    assert config.kernel_size == 1536
    assert config.fduration_size == 1024
    assert config.window_size == 2560
    assert isinstance(config.kernel_size, int)
    assert isinstance(config.sample_rate, float)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.highpass = 20.0


def test_dict_round_trip():
    config = Preprocessing(**SETTINGS, lowpass=400, fftlength=2)
    assert Preprocessing.from_dict(config.to_dict()) == config
    assert Preprocessing.from_dict({**config.to_dict(), "x": 1}) == config


def test_missing_settings_are_named():
    with pytest.raises(UserError, match="missing settings: ifos, fduration"):
        Preprocessing.from_dict({"sample_rate": 1024, "kernel_length": 1})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ifos", "H1", "must be a list of names"),
        ("ifos", [], "at least one"),
        ("ifos", ["H1", "H1"], "only once"),
        ("sample_rate", 0, "sample_rate: 0 must be a positive"),
        ("sample_rate", "1024", "'1024' is not a number"),
        ("kernel_length", -1, "kernel_length: -1"),
        ("kernel_length", float("nan"), "kernel_length: nan"),
        ("kernel_length", 1.5001, "kernel_length of 1.5001 s"),
        ("fduration", True, "fduration: True is not a number"),
        ("fduration", 1025 / 1024, "must be an even number"),
        ("fftlength", 2.0001, "fftlength of 2.0001 s"),
        ("highpass", 512, "below the Nyquist frequency 512 Hz"),
        ("highpass", 0, "highpass: 0"),
        ("lowpass", 20, "above highpass 32 Hz"),
        ("lowpass", 600, "at most the Nyquist"),
    ],
)
def test_errors(name, value, message):
    with pytest.raises(UserError, match=message):
        Preprocessing(**{**SETTINGS, name: value})


def test_whole_samples():
    assert whole_samples("x", 0.1, 10) == 1
    assert whole_samples("x", 0.29, 100) == 29  # 0.29 * 100 < 29
    with pytest.raises(UserError, match=r"x of 0\.3 s is 0\.6 samples"):
        whole_samples("x", 0.3, 2)
