import numpy as np
import p_astro.density
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from p_astro.density import TailedKde
from p_astro.samples import TAIL_EVENTS, FitError, Samples
from scipy.integrate import quad
from scipy.special import erfc, exprel
from scipy.stats import gaussian_kde

DRAWS = {
    "normal": lambda rng, size: rng.normal(-3, 2, size),
    "exponential": lambda rng, size: rng.exponential(0.3, size),
    "gumbel": lambda rng, size: rng.gumbel(0, 1, size),
    "bimodal": lambda rng, size: np.concatenate(
        [rng.normal(0, 1, size // 2), rng.normal(9, 2, size - size // 2)]
    ),
}


def draw(shape, size, seed=0):
    return DRAWS[shape](np.random.default_rng(seed), size)


def plain_sum(values, weights, bandwidth):
    """scipy's estimate with the same bandwidth."""
    kde = gaussian_kde(values, weights=weights)
    deviation = np.sqrt(kde.covariance[0, 0]) / kde.factor
    kde.set_bandwidth(bandwidth / deviation)
    return kde


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", DRAWS)
def test_body_equals_the_sum_of_kernels(shape, weighted):
    values = draw(shape, 3000)
    weights = draw("exponential", 3000, seed=1) if weighted else None
    kde = TailedKde.fit(values, weights, "test")
    expected = plain_sum(values, weights, kde.bandwidth)
    at = np.linspace(kde.start, kde.split, 1000)
    at = at[np.min(np.abs(at[:, None] - values), axis=1) < 4 * kde.bandwidth]
    ratio = np.exp(kde.log_pdf(at)) / expected(at)
    height = expected(at) / expected(at).max()
    factor = np.median(ratio[height > 0.1])
    assert ratio[height > 1e-4] == pytest.approx(factor, rel=2e-3)
    assert ratio == pytest.approx(factor, rel=1e-2)
    # The normalisation moves the body only by the misfit of the tail.
    weights = np.ones(3000) if weights is None else weights
    tail = weights[values > kde.split].sum() / weights.sum()
    assert abs(factor - 1) < 0.5 * tail + 1e-3


def test_finer_grid_is_closer_to_the_sum_of_kernels(monkeypatch):
    values = draw("normal", 2000)
    at = np.linspace(values.min(), 0, 500)
    errors = []
    for nodes in (10, 20, 40):
        monkeypatch.setattr(p_astro.density, "NODES_PER_BANDWIDTH", nodes)
        kde = TailedKde.fit(values, None, "test")
        ratio = np.exp(kde.log_pdf(at)) / plain_sum(
            values, None, kde.bandwidth
        )(at)
        errors.append(np.ptp(np.log(ratio)))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


@pytest.mark.parametrize("shape", DRAWS)
def test_integral_is_one(shape):
    kde = TailedKde.fit(draw(shape, 3000), None, "test")
    assert kde._integral() == pytest.approx(1, rel=1e-12)
    first = kde.tail[0]
    at = np.linspace(kde.start - 1, kde.split, 200_001)
    bridge = np.linspace(kde.split, first, 101)
    body = sum(np.trapezoid(np.exp(kde.log_pdf(x)), x) for x in (at, bridge))
    tail, _ = quad(
        lambda x: np.exp(kde.log_pdf(x)), first, first + 30 / kde.decay
    )
    assert body + tail == pytest.approx(1, rel=1e-5)


def test_join_is_continuous():
    kde = TailedKde.fit(draw("gumbel", 3000), None, "test")
    close = kde.split + kde.bandwidth * np.array([-1e-9, 0, 1e-9])
    assert np.ptp(kde.log_pdf(close)) < 1e-6


def test_join_is_where_samples_get_sparse():
    values = draw("exponential", 50_000)
    kde = TailedKde.fit(values, None, "test")
    density = plain_sum(values, None, kde.bandwidth)
    variance = 1 / (2 * np.sqrt(np.pi) * values.size * kde.bandwidth)
    at = np.array([kde.split, kde.split + 5 * kde.step])
    error = np.sqrt(variance / density(at))
    assert error[0] <= 0.1 * (1 + 1e-3)
    assert error[1] > 0.1


def test_join_leaves_enough_samples_for_a_slope():
    values = draw("normal", 3000)
    kde = TailedKde.fit(values, None, "test")
    beyond = np.count_nonzero(values > kde.split)
    # Thinner than the kernels' precision alone would ask for.
    assert TAIL_EVENTS <= beyond <= TAIL_EVENTS + 5


def test_exponential_is_recovered():
    scale = 0.3
    kde = TailedKde.fit(draw("exponential", 200_000), None, "test")
    beyond = 200_000 * np.exp(-kde.split / scale)
    assert 1 / kde.decay == pytest.approx(scale, rel=4 / np.sqrt(beyond))
    at = np.linspace(2 * scale, kde.split, 50)
    truth = np.exp(-at / scale) / scale
    assert np.exp(kde.log_pdf(at)) == pytest.approx(truth, rel=0.3)
    # Three decades beyond the join, by the error of slope and value.
    far = kde.split + scale * np.log(1000)
    error = kde.log_pdf(far) - (-far / scale - np.log(scale))
    assert abs(error) < 4 * np.log(1000) / np.sqrt(beyond) + 0.3


def test_normal_with_exponential_tail_is_recovered():
    # A normal convolved with an exponential.
    scale, size = 0.8, 300_000
    rng = np.random.default_rng(4)
    values = rng.normal(size=size) + rng.exponential(scale, size)
    kde = TailedKde.fit(values, None, "test")

    def truth(x):
        return (
            np.exp(0.5 / scale**2 - x / scale)
            * erfc((1 / scale - x) / np.sqrt(2))
            / (2 * scale)
        )

    at = np.linspace(-2, kde.split, 100)
    assert np.exp(kde.log_pdf(at)) == pytest.approx(truth(at), rel=0.3)
    bulk = np.linspace(-2, 3, 50)
    assert np.exp(kde.log_pdf(bulk)) == pytest.approx(truth(bulk), rel=0.05)
    beyond = np.count_nonzero(values > kde.split)
    assert 1 / kde.decay == pytest.approx(scale, rel=4 / np.sqrt(beyond))
    far = np.array([kde.split + 2, kde.split + 5])
    assert kde.log_pdf(far) == pytest.approx(
        np.log(truth(far)), abs=4 * 5 / scale / np.sqrt(beyond) + 0.3
    )


def test_no_tail_is_steeper_than_a_bandwidth():
    values = np.random.default_rng(0).uniform(size=20_000)
    kde = TailedKde.fit(values, None, "test")
    assert kde.decay == pytest.approx(1 / kde.bandwidth)


def test_gap_is_bridged():
    values = np.concatenate([draw("gumbel", 3000), np.full(400, 500.0)])
    kde = TailedKde.fit(values, None, "test")
    logs = kde.log_pdf(np.linspace(-10, 600, 5000))
    assert np.all(np.isfinite(logs))
    assert kde.log_pdf(250) < kde.log_pdf(500) - 30


def test_infinities():
    kde = TailedKde.fit(draw("normal", 3000), None, "test")
    assert np.all(np.isneginf(kde.log_pdf([-np.inf, np.inf])))


def test_equal_weights_are_no_weights():
    values = draw("bimodal", 3000)
    one = TailedKde.fit(values, None, "test")
    two = TailedKde.fit(values, np.full(3000, 0.2), "test")
    at = np.linspace(-5, 20, 100)
    # Quartiles of weighted samples may be a neighbour of the others.
    assert two.bandwidth == pytest.approx(one.bandwidth, rel=1e-3)
    assert two.log_pdf(at) == pytest.approx(one.log_pdf(at), abs=0.02)


def test_integer_weights_are_repetitions():
    values = draw("gumbel", 2000)
    repeat = np.random.default_rng(5).integers(1, 4, 2000)
    weighted = Samples.of(values, repeat.astype(float), "test")
    repeated = Samples.of(np.repeat(values, repeat), None, "test")
    assert weighted.effective < repeated.effective
    scale = (repeated.effective / weighted.effective) ** 0.2
    assert weighted.bandwidth == pytest.approx(
        repeated.bandwidth * scale, rel=1e-3
    )
    assert weighted.lowest == repeated.lowest


def test_bandwidth_is_silvermans():
    values = draw("normal", 5000)
    samples = Samples.of(values, None, "test")
    low, high = np.percentile(values, [25, 75])
    spread = min(values.std(), (high - low) / 1.349)
    assert samples.bandwidth == pytest.approx(
        0.9 * spread * 5000**-0.2, rel=1e-3
    )
    assert np.count_nonzero(values >= samples.loud) == TAIL_EVENTS


def test_coinciding_quartiles_leave_the_deviation():
    values = np.concatenate([draw("normal", 1000), np.full(4000, -3.0)])
    samples = Samples.of(values, None, "test")
    assert samples.bandwidth == pytest.approx(0.9 * values.std() * 5000**-0.2)


def test_many_samples_in_pieces(monkeypatch):
    values = draw("gumbel", 3000)
    whole = TailedKde.fit(values, None, "test")
    monkeypatch.setattr("p_astro.samples._CHUNK", 7)
    pieces = TailedKde.fit(values, None, "test")
    assert pieces.log_density == pytest.approx(whole.log_density, abs=1e-8)
    assert pieces.decay == pytest.approx(whole.decay)


def test_single_precision():
    values = draw("gumbel", 3000)
    double = TailedKde.fit(values, None, "test")
    single = TailedKde.fit(values.astype(np.float32), None, "test")
    at = np.linspace(-2, 20, 50)
    assert single.log_density.dtype == np.float64
    assert single.log_pdf(at) == pytest.approx(double.log_pdf(at), abs=0.01)


@settings(max_examples=30, deadline=None)
@given(
    shift=st.floats(-1e3, 1e3),
    scale=st.floats(1e-3, 1e3),
    seed=st.integers(0, 100),
)
def test_units_do_not_matter(shift, scale, seed):
    values = draw("gumbel", 1500, seed)
    one = TailedKde.fit(values, None, "test")
    two = TailedKde.fit(shift + scale * values, None, "test")
    at = np.linspace(-2, 20, 50)
    assert two.log_pdf(shift + scale * at) + np.log(scale) == pytest.approx(
        one.log_pdf(at), abs=0.02
    )


def test_too_few():
    for size in (0, 1, 99, 150):
        with pytest.raises(FitError, match=rf"noise: {size} .*too few"):
            TailedKde.fit(draw("normal", size), None, "noise")


def test_weights_that_leave_too_few():
    weights = np.full(5000, 1e-9)
    weights[:50] = 1
    with pytest.raises(FitError, match=r"worth 50\.0"):
        TailedKde.fit(draw("normal", 5000), weights, "signals")


def beyond(kde, threshold):
    """Part of the samples beyond a threshold in the tail."""
    nodes = kde.nodes[kde.nodes > threshold]
    edges = np.append(threshold, nodes)
    edges = np.append(edges, edges[-1] + 40 / kde.decay)
    logs = kde.log_pdf(edges)
    pieces = np.exp(logs[:-1]) * exprel(np.diff(logs))
    return pieces @ np.diff(edges)


def test_mass_of_the_tail_is_that_of_its_samples():
    for shape in ("normal", "exponential", "gumbel"):
        for seed in range(3):
            values = draw(shape, 20_000, seed)
            kde = TailedKde.fit(values, None, "test")
            count = np.count_nonzero(values > kde.tail[0])
            found = 20_000 * beyond(kde, kde.tail[0])
            assert found == pytest.approx(count, rel=0.05)


@pytest.mark.parametrize("glitches", [10, 50, 300, 3000])
@pytest.mark.parametrize("seed", range(2))
def test_glitches_are_counted(glitches, seed):
    """Normal noise and some events of any loudness."""
    rng = np.random.default_rng(seed)
    loud = rng.uniform(0, 10, glitches)
    values = np.concatenate([rng.normal(-5, 1, 1_000_000), loud])
    kde = TailedKde.fit(values, None, "test")
    at = np.union1d(np.arange(kde.split, 0, 0.1), loud[:100])
    ordered = np.sort(values)
    count = values.size - np.searchsorted(ordered, at)
    predicted = values.size * np.array([beyond(kde, x) for x in at])
    # Three Poisson errors of the count, and 10% of its own.
    error = np.hypot(3 * np.sqrt(np.maximum(count, predicted)), count / 10)
    assert np.all(np.abs(predicted - count) <= np.maximum(error, 1))
    assert np.all(np.diff(kde.log_pdf(at)) <= 1e-9)


@pytest.mark.parametrize("outlier", [20.0, 30.0, 100.0, 1000.0, 1e5])
def test_one_outlier_is_one_event_and_changes_little_else(outlier):
    values = draw("normal", 100_000)
    alone = TailedKde.fit(values, None, "test")
    kde = TailedKde.fit(np.append(values, outlier), None, "test")
    at = np.linspace(-8, np.max(values), 200)
    assert kde.log_pdf(at) == pytest.approx(alone.log_pdf(at), abs=0.1)
    for part in (0.1, 0.5, 0.9):
        threshold = np.max(values) + part * (outlier - np.max(values))
        assert 0.5 < 100_001 * beyond(kde, threshold) < 2
    assert np.all(np.diff(kde.log_pdf(np.linspace(4, outlier, 999))) < 1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_many_equal_samples_at_the_end(weighted):
    """A statistic that saturates: a quarter of the samples has its limit."""
    values = np.minimum(draw("normal", 8000), -1.7)
    weights = np.full(8000, 1e-4) if weighted else None
    kde = TailedKde.fit(values, weights, "test")
    at = np.linspace(-7, -1.7 - 4 * kde.bandwidth, 50)
    truth = np.exp(-((at + 3) ** 2) / 8) / np.sqrt(8 * np.pi)
    # The kernels of the equal samples reach over the join.
    assert np.median(np.exp(kde.log_pdf(at)) / truth) == pytest.approx(
        1, abs=0.2
    )


def test_few_samples_far_away():
    loud = np.linspace(1000, 10_000, 20)
    values = np.concatenate([draw("normal", 2000), loud])
    kde = TailedKde.fit(values, None, "noise")
    assert 2020 * beyond(kde, 100.0) == pytest.approx(20, rel=0.1)
    assert kde.log_pdf(1e5) < kde.log_pdf(1e4) - 5


def test_no_spread():
    with pytest.raises(FitError, match=r"all 500 .* noise are 1\.5"):
        TailedKde.fit(np.full(500, 1.5), None, "noise")


def test_too_wide():
    values = np.concatenate([draw("normal", 2000), [-1e9]])
    with pytest.raises(FitError, match="too far apart"):
        TailedKde.fit(values, None, "noise")
