import numpy as np
import pytest
import torch
from conventions.errors import UserError
from ml4gw.gw import compute_observed_strain
from train.injection import Projector, place, rescale

RATE = 256


def test_placement_puts_the_coalescence_where_wanted():
    responses = torch.zeros(3, 2, 400)
    responses[..., 300] = torch.tensor([[1.0, 2.0]] * 3)
    positions = torch.tensor([0, 50, 99])
    windows = place(responses, 300, positions, 100)
    assert windows.shape == (3, 2, 100)
    for window, position in zip(windows, positions, strict=True):
        assert window[0].argmax() == position
        assert window[1, position] == 2
        assert window.sum() == 3


def test_placement_is_zero_beyond_the_response():
    responses = torch.ones(1, 1, 20)
    windows = place(responses, 15, torch.tensor([40]), 60)
    expected = torch.zeros(60)
    expected[25:45] = 1
    assert torch.equal(windows[0, 0], expected)


def test_rescaled_signals_have_the_wanted_snr():
    generator = torch.Generator().manual_seed(1)
    size = 4 * RATE
    envelope = torch.hann_window(size)
    responses = 1e-22 * envelope * torch.randn(6, 2, size, generator=generator)
    frequencies = np.arange(0, RATE / 2 + 0.25, 0.25)
    psd = 1e-46 * (1 + (30 / np.maximum(frequencies, 10)) ** 4)
    psds = torch.from_numpy(np.stack([psd, 2 * psd])).expand(6, 2, -1)
    wanted = torch.tensor([4.0, 8, 12, 20, 50, 100])
    scaled = rescale(responses, wanted, psds, RATE, 20.0, 100.0).double()
    spectra = np.fft.rfft(scaled.numpy()) / RATE
    band = (frequencies >= 20) & (frequencies < 100)
    integrand = np.abs(spectra) ** 2 / psds.numpy()
    squares = 4 * integrand[..., band].sum(-1) * 0.25
    snrs = np.sqrt(squares.sum(-1))
    np.testing.assert_allclose(snrs, wanted, rtol=1e-3)
    ratio = (scaled / responses)[..., 1:]
    assert torch.all(ratio.std(dim=(1, 2)) < 1e-5 * ratio.mean(dim=(1, 2)))


def test_projection_is_isotropic_and_delayed():
    generator = torch.Generator().manual_seed(1)
    count, rate = 4000, 4096
    polarizations = torch.zeros(count, 2, 400)
    polarizations[:, 0, 200] = 1
    project = Projector(("H1", "L1"), rate)
    responses, delays = project(polarizations, generator)
    assert responses.shape == (count, 2, 400)
    assert delays.shape == (count, 2)
    responses = place(responses, 200, 200 + delays, 400)
    # mean of F_plus^2 over sky and polarization is 1/5
    antenna = responses.abs().amax(-1)
    torch.testing.assert_close(
        antenna.square().mean(0), torch.tensor([0.2, 0.2]), rtol=0.05, atol=0
    )
    peaks = responses.abs().argmax(-1)
    delay = (peaks[:, 0] - peaks[:, 1]).abs().max() / rate
    assert 0.0095 < delay <= 0.0104  # light takes 10 ms
    assert (peaks - 200).abs().max() / rate < 0.0215


def test_projection_is_that_of_ml4gw():
    generator = torch.Generator().manual_seed(2)
    polarizations = torch.randn(50, 2, 300, generator=generator)
    project = Projector(("H1", "L1", "V1"), 2048)
    state = generator.get_state()
    responses, delays = project(polarizations, generator)
    u = torch.rand(3, 50, generator=generator.set_state(state))
    expected = compute_observed_strain(
        dec=torch.arcsin(2 * u[0] - 1),
        psi=torch.pi * u[1],
        phi=torch.pi * (2 * u[2] - 1),
        detector_tensors=project.tensors,
        detector_vertices=project.vertices,
        sample_rate=2048,
        plus=polarizations[:, 0],
        cross=polarizations[:, 1],
    )
    # away from the edges, beyond which ml4gw takes time for a ring
    found = place(responses, 150, 90 + delays, 180)
    assert torch.equal(found, expected[..., 60:240])
    assert 30 < delays.abs().max() <= 0.0215 * 2048


def test_unknown_interferometer():
    with pytest.raises(UserError, match="ifos: X1 unknown, choose from H1"):
        Projector(("H1", "X1"), RATE)
