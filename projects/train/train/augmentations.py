"""Augmentations of background and signals.

Every function takes its randomness from a generator, so that a batch is a
function of the seed and its number.
"""

import torch
from torch import Generator, Tensor


def _chance(shape: tuple[int, ...], p: float, generator: Generator) -> Tensor:
    draws = torch.rand(shape, generator=generator, device=generator.device)
    return draws < p


def invert_and_reverse(
    X: Tensor,
    invert_prob: float,
    reverse_prob: float,
    generator: Generator,
) -> Tensor:
    """Flip the sign and the time axis of channels at random.

    Both leave the statistics of the noise as they are, and multiply the
    number of distinct kernels.

    Args:
        X: background of shape ``(batch, ifo, time)``; not changed.
        invert_prob: probability of a channel's sign being flipped.
        reverse_prob: probability of a channel's time being reversed.
        generator: source of randomness.

    Returns:
        Background of the same shape.
    """
    shape = tuple(X.shape[:2])
    invert = _chance(shape, invert_prob, generator)[..., None]
    reverse = _chance(shape, reverse_prob, generator)[..., None]
    X = torch.where(reverse, X.flip(-1), X)
    return X * torch.where(invert, -1.0, 1.0)


def break_coherence(
    responses: Tensor,
    swap_frac: float,
    mute_frac: float,
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """Make hard negatives: signals that no astrophysical source makes.

    Signals are paired at random. With probability ``swap_frac`` a pair
    exchanges the signal of one interferometer; of the signals that were not
    exchanged, some lose that of one interferometer, such that ``mute_frac``
    of all signals do. No signal is both exchanged and muted.

    Args:
        responses: signals of shape ``(signal, ifo, time)``; not changed.
        swap_frac: expected fraction of signals with an exchanged channel.
        mute_frac: expected fraction of signals with a muted channel.
        generator: source of randomness.

    Returns:
        The signals, and a mask of shape ``(signal,)`` that is True where
        coherence was broken and the label must be 0.
    """
    count, num_ifos = responses.shape[:2]
    device = responses.device
    responses = responses.clone()
    order = torch.randperm(count, generator=generator, device=device)
    pairs = order[: count - count % 2].view(-1, 2)
    pairs = pairs[_chance((len(pairs),), swap_frac, generator)]
    ifo = _ifos(len(pairs), num_ifos, generator)
    one, other = pairs.unbind(1)
    exchanged = responses[other, ifo], responses[one, ifo]
    responses[one, ifo], responses[other, ifo] = exchanged
    swapped = torch.zeros(count, dtype=torch.bool, device=device)
    swapped[pairs.flatten()] = True

    share = mute_frac / (1 - swap_frac) if swap_frac < 1 else 0.0
    muted = _chance((count,), share, generator) & ~swapped
    rows = muted.nonzero().flatten()
    responses[rows, _ifos(len(rows), num_ifos, generator)] = 0
    return responses, swapped | muted


def _ifos(count: int, num_ifos: int, generator: Generator) -> Tensor:
    return torch.randint(
        num_ifos, (count,), generator=generator, device=generator.device
    )
