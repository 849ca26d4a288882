"""Confidence intervals of counts and of fractions."""

import numpy as np
from conventions.errors import UserError

# Probability within one standard deviation of a normal distribution.
ONE_SIGMA = 0.682689492137086


def poisson_interval(
    count: int | np.ndarray, level: float = ONE_SIGMA
) -> tuple[np.ndarray, np.ndarray]:
    """Give the central interval of a Poisson mean, given a count.

    The exact one: each bound is excluded with probability (1 - level)/2
    (Gehrels 1986, ApJ 303, 336, eqs. 1 and 2, through chi-square
    quantiles).

    Args:
        count: number of events, any shape.
        level: confidence level, between 0 and 1.

    Returns:
        Lower and upper bound of the mean, each of the shape of ``count``;
        the lower bound of a count of 0 is 0.

    Raises:
        UserError: if a count is negative, or the level is not in (0, 1).
    """
    from scipy.special import gammaincinv

    count = np.asarray(count, dtype=float)
    tail = _tail(level)
    if not np.all(count >= 0):
        raise UserError(f"a count is negative: {np.min(count)}")
    some = count > 0
    low = np.where(some, gammaincinv(np.where(some, count, 1), tail), 0.0)
    return low, gammaincinv(count + 1, 1 - tail)


def binomial_interval(
    successes: int | np.ndarray,
    trials: int | np.ndarray,
    level: float = ONE_SIGMA,
) -> tuple[np.ndarray, np.ndarray]:
    """Give the central interval of an efficiency.

    Clopper and Pearson 1934, Biometrika 26, 404, through quantiles of the
    beta distribution.

    Args:
        successes: number found, any shape.
        trials: number tried, of a shape that broadcasts.
        level: confidence level, between 0 and 1.

    Returns:
        Lower and upper bound of the fraction; 0 and 1 without trials.

    Raises:
        UserError: if not 0 <= successes <= trials, or the level is not in
            (0, 1).
    """
    from scipy.special import betaincinv

    k, n = np.broadcast_arrays(
        np.asarray(successes, float), np.asarray(trials, float)
    )
    tail = _tail(level)
    if not np.all((k >= 0) & (k <= n)):
        raise UserError("0 <= successes <= trials is needed")
    low = betaincinv(np.maximum(k, 1), n - k + 1, tail)
    high = betaincinv(k + 1, np.maximum(n - k, 1), 1 - tail)
    return np.where(k > 0, low, 0.0), np.where(k < n, high, 1.0)


def _tail(level: float) -> float:
    if not 0 < level < 1:
        raise UserError(f"confidence level is {level}; (0, 1) is needed")
    return (1 - level) / 2
