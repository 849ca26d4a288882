import sys
import types

import priors
import pytest
from bilby.core.prior import PriorDict
from conventions.errors import UserError


def test_load_calls_the_named_function():
    prior, detector_frame = priors.load("priors.priors.nonspin_bbh")
    assert isinstance(prior, PriorDict)
    assert detector_frame is True


def test_load_passes_arguments():
    prior, detector_frame = priors.load(
        "priors.priors.log_normal_masses", {"m1": 35, "m2": 20}
    )
    assert prior["mass_2"].sigma == 0.1
    assert detector_frame is False


@pytest.mark.parametrize(
    "name",
    ["nonspin", "no_such_module.prior", "priors.priors.spin", "priors.priors"],
)
def test_unknown_name_is_reported_with_the_known_ones(name):
    with pytest.raises(UserError) as caught:
        priors.load(name)
    assert repr(name) in str(caught.value)
    assert "available: " in str(caught.value)
    if name != "priors.priors":
        assert "priors.priors.end_o3_ratesandpops" in str(caught.value)


@pytest.mark.parametrize("arguments", [{}, {"m1": 1, "m2": 1, "width": 2}])
def test_wrong_arguments_are_reported_with_the_accepted_ones(arguments):
    with pytest.raises(UserError, match="accepts m1, m2, sigma") as caught:
        priors.load("priors.priors.gaussian_masses", arguments)
    assert str(arguments) in str(caught.value)


def test_function_that_returns_no_population(monkeypatch):
    module = types.ModuleType("mine")
    exec("def prior(): return {}", module.__dict__)
    monkeypatch.setitem(sys.modules, "mine", module)
    with pytest.raises(UserError, match="returned dict"):
        priors.load("mine.prior")
