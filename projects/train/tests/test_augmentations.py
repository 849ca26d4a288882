import pytest
import torch
from train.augmentations import break_coherence, invert_and_reverse


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)


def test_inversion_and_reversal_act_on_channels(generator):
    X = torch.randn(2000, 2, 16)
    before = X.clone()
    out = invert_and_reverse(X, 0.5, 0.25, generator)
    assert torch.equal(X, before)
    counts = {"as is": 0, "inverted": 0, "reversed": 0, "both": 0}
    for x, y in zip(X.flatten(0, 1), out.flatten(0, 1), strict=True):
        candidates = {
            "as is": x,
            "inverted": -x,
            "reversed": x.flip(-1),
            "both": -x.flip(-1),
        }
        matching = [k for k, c in candidates.items() if torch.equal(c, y)]
        assert len(matching) == 1
        counts[matching[0]] += 1
    expected = {"as is": 0.375, "inverted": 0.375, "reversed": 0.125}
    for name, share in expected.items():
        assert counts[name] / 4000 == pytest.approx(share, abs=0.03)


def test_extreme_probabilities(generator):
    X = torch.randn(4, 2, 8)
    assert torch.equal(invert_and_reverse(X, 0, 0, generator), X)
    flipped = -X.flip(-1)
    assert torch.equal(invert_and_reverse(X, 1, 1, generator), flipped)


@pytest.mark.parametrize("num_ifos", [2, 3])
def test_labelled_are_exactly_those_whose_coherence_was_broken(
    generator, num_ifos
):
    count = 4001
    identity = torch.arange(1.0, count + 1)[:, None, None]
    signals = identity.expand(-1, num_ifos, 8).clone()
    before = signals.clone()
    out, broken = break_coherence(signals, 0.1, 0.2, generator)
    assert torch.equal(signals, before)
    values = out[..., 0]
    assert torch.equal(values[..., None].expand_as(out), out)
    whole = (values == before[..., 0]).all(1)
    assert torch.equal(whole, ~broken)

    muted = (values == 0).sum(1)
    swapped = ((values != before[..., 0]) & (values != 0)).sum(1)
    assert torch.all(muted + swapped <= 1)
    # binomial: of all signals for muting, of all pairs for swapping
    assert abs(muted.sum() - 0.2 * count) < 4 * (count * 0.16) ** 0.5
    pairs = count // 2
    assert abs(swapped.sum() / 2 - 0.1 * pairs) < 4 * (pairs * 0.09) ** 0.5
    # an exchange is mutual and keeps every signal exactly once
    for row in swapped.nonzero().flatten().tolist():
        ifo = int((values[row] != before[row, :, 0]).nonzero())
        other = int(values[row, ifo]) - 1
        assert int(values[other, ifo]) - 1 == row


def test_swap_takes_the_channel_from_the_other(generator):
    signals = torch.randn(2, 2, 8)
    out, broken = break_coherence(signals, 1.0, 0.0, generator)
    assert broken.all()
    ifo = 0 if torch.equal(out[0, 0], signals[1, 0]) else 1
    assert torch.equal(out[:, ifo], signals.flip(0)[:, ifo])
    assert torch.equal(out[:, 1 - ifo], signals[:, 1 - ifo])


@pytest.mark.parametrize("count", [0, 1])
def test_few_signals(generator, count):
    signals = torch.randn(count, 2, 8)
    out, broken = break_coherence(signals, 1.0, 0.0, generator)
    assert torch.equal(out, signals)
    assert not broken.any()


def test_fractions_of_zero_change_nothing(generator):
    signals = torch.randn(100, 2, 8)
    out, broken = break_coherence(signals, 0.0, 0.0, generator)
    assert torch.equal(out, signals)
    assert not broken.any()


def test_all_muted(generator):
    out, broken = break_coherence(torch.ones(50, 2, 8), 0.0, 1.0, generator)
    assert broken.all()
    assert torch.all((out == 0).all(-1).sum(1) == 1)
