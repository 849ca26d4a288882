"""The target populations of the sensitive volume."""

import pytest
from conventions.errors import UserError

from aframe.tasks import SensitiveVolume
from aframe.tasks.plots import mass_pairs


def test_pairs_of_masses_are_accepted():
    assert mass_pairs([[35, 20.5]]) == [(35, 20.5)]
    default = dict(SensitiveVolume.get_params())["mass_combos"]._default
    assert len(mass_pairs(default)) == 4


@pytest.mark.parametrize(
    "value", [[], [35, 35], [[35]], [["35", "20"]], [[35, 35], 20]], ids=str
)
def test_others_are_named(value):
    with pytest.raises(UserError, match=r"^mass_combos: .* not a list of"):
        mass_pairs(value)
