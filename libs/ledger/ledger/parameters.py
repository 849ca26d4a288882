"""Parameters of compact binaries, in bilby's and in LAL's convention."""

from dataclasses import dataclass

import numpy as np

from ledger import cosmology, spins
from ledger.ledger import Ledger, parameter


def chirp_mass(
    m1: float | np.ndarray, m2: float | np.ndarray
) -> float | np.ndarray:
    """Give the chirp mass (m1 m2)^(3/5) / (m1 + m2)^(1/5).

    Args:
        m1: mass of one body.
        m2: mass of the other, in the same unit.

    Returns:
        The chirp mass in that unit.
    """
    return (m1 * m2) ** 0.6 / (m1 + m2) ** 0.2


@dataclass(eq=False)
class IntrinsicParameterSet(Ledger):
    """What shapes the waveform; bilby's names, each of shape (row,).

    Attributes:
        mass_1: detector-frame mass of the heavier body in solar masses.
        mass_2: detector-frame mass of the lighter body in solar masses.
        a_1: dimensionless spin magnitude of the heavier body.
        a_2: dimensionless spin magnitude of the lighter body.
        tilt_1: angle between spin 1 and the orbital momentum, rad.
        tilt_2: angle between spin 2 and the orbital momentum, rad.
        phi_12: azimuth between the two spins, rad.
        phi_jl: azimuth of the orbital about the total momentum, rad.
    """

    mass_1: np.ndarray = parameter()
    mass_2: np.ndarray = parameter()
    a_1: np.ndarray = parameter()
    a_2: np.ndarray = parameter()
    tilt_1: np.ndarray = parameter()
    tilt_2: np.ndarray = parameter()
    phi_12: np.ndarray = parameter()
    phi_jl: np.ndarray = parameter()

    @property
    def chirp_mass(self) -> np.ndarray:
        """Detector-frame chirp mass in solar masses, shape (row,)."""
        return chirp_mass(self.mass_1, self.mass_2)

    @property
    def total_mass(self) -> np.ndarray:
        """Detector-frame total mass in solar masses, shape (row,)."""
        return self.mass_1 + self.mass_2

    @property
    def mass_ratio(self) -> np.ndarray:
        """Mass ratio mass_2 / mass_1 <= 1, shape (row,)."""
        return self.mass_2 / self.mass_1


@dataclass(eq=False)
class ExtrinsicParameterSet(Ledger):
    """Where the source is and how it is seen; each of shape (row,).

    Attributes:
        ra: azimuth in an Earth-fixed frame, rad.
        dec: declination, rad.
        redshift: cosmological redshift.
        psi: polarization angle, rad.
        theta_jn: angle between total momentum and line of sight, rad.
        phase: phase at the reference frequency, rad.
    """

    ra: np.ndarray = parameter()
    dec: np.ndarray = parameter()
    redshift: np.ndarray = parameter()
    psi: np.ndarray = parameter()
    theta_jn: np.ndarray = parameter()
    phase: np.ndarray = parameter()

    @property
    def luminosity_distance(self) -> np.ndarray:
        """Luminosity distance in Mpc (Planck15), shape (row,)."""
        return cosmology.luminosity_distance(self.redshift)


@dataclass(eq=False)
class BilbyParameterSet(ExtrinsicParameterSet, IntrinsicParameterSet):
    """All parameters of a binary, in bilby's convention."""

    @property
    def mass_1_source(self) -> np.ndarray:
        """Source-frame mass_1 in solar masses, shape (row,)."""
        return self.mass_1 / (1 + self.redshift)

    @property
    def mass_2_source(self) -> np.ndarray:
        """Source-frame mass_2 in solar masses, shape (row,)."""
        return self.mass_2 / (1 + self.redshift)

    def convert_to_lal_param_set(
        self, reference_frequency: float
    ) -> "LALParameterSet":
        """Give the same binaries in LAL's convention.

        Args:
            reference_frequency: Hz, where the spins are given.
        """
        inclination, spin1, spin2 = spins.to_cartesian(
            theta_jn=self.theta_jn,
            phi_jl=self.phi_jl,
            tilt_1=self.tilt_1,
            tilt_2=self.tilt_2,
            phi_12=self.phi_12,
            a_1=self.a_1,
            a_2=self.a_2,
            mass_1=self.mass_1,
            mass_2=self.mass_2,
            phase=self.phase,
            reference_frequency=reference_frequency,
        )
        return LALParameterSet(
            mass1=self.mass_1,
            mass2=self.mass_2,
            spin1x=spin1[0],
            spin1y=spin1[1],
            spin1z=spin1[2],
            spin2x=spin2[0],
            spin2y=spin2[1],
            spin2z=spin2[2],
            inclination=inclination,
            luminosity_distance=self.luminosity_distance,
            phase=self.phase,
            ra=self.ra,
            dec=self.dec,
            psi=self.psi,
        )


@dataclass(eq=False)
class LALParameterSet(Ledger):
    """All parameters of a binary, in LAL's convention, shape (row,).

    Attributes:
        mass1: detector-frame mass in solar masses; so ``mass2``.
        spin1x: dimensionless spin, x along the line from body 2 to body 1,
            z along the orbital momentum; so ``spin1y`` to ``spin2z``.
        inclination: angle between orbital momentum and line of sight, rad.
        luminosity_distance: Mpc.
        phase: phase at the reference frequency, rad.
        ra: azimuth in an Earth-fixed frame, rad.
        dec: declination, rad.
        psi: polarization angle, rad.
    """

    mass1: np.ndarray = parameter()
    mass2: np.ndarray = parameter()
    spin1x: np.ndarray = parameter()
    spin1y: np.ndarray = parameter()
    spin1z: np.ndarray = parameter()
    spin2x: np.ndarray = parameter()
    spin2y: np.ndarray = parameter()
    spin2z: np.ndarray = parameter()
    inclination: np.ndarray = parameter()
    luminosity_distance: np.ndarray = parameter()
    phase: np.ndarray = parameter()
    ra: np.ndarray = parameter()
    dec: np.ndarray = parameter()
    psi: np.ndarray = parameter()

    @property
    def redshift(self) -> np.ndarray:
        """Redshift at the luminosity distance (Planck15), shape (row,)."""
        return cosmology.redshift(self.luminosity_distance)

    @property
    def generation_params(self) -> dict[str, np.ndarray]:
        """What a waveform needs, under pycbc's names: each (row,)."""
        names = {
            "distance": "luminosity_distance",
            "coa_phase": "phase",
            **dict.fromkeys(["mass1", "mass2", "inclination"]),
            **dict.fromkeys(f"spin{i}{x}" for i in "12" for x in "xyz"),
        }
        return {
            name: getattr(self, source or name)
            for name, source in names.items()
        }

    def convert_to_bilby_param_set(
        self, reference_frequency: float
    ) -> BilbyParameterSet:
        """Give the same binaries in bilby's convention.

        A body without spin has tilt 0.

        Args:
            reference_frequency: Hz, where the spins are given.
        """
        angles = spins.to_angles(
            inclination=self.inclination,
            spin_1=(self.spin1x, self.spin1y, self.spin1z),
            spin_2=(self.spin2x, self.spin2y, self.spin2z),
            mass_1=self.mass1,
            mass_2=self.mass2,
            phase=self.phase,
            reference_frequency=reference_frequency,
        )
        return BilbyParameterSet(
            mass_1=self.mass1,
            mass_2=self.mass2,
            **angles,
            ra=self.ra,
            dec=self.dec,
            redshift=self.redshift,
            psi=self.psi,
            phase=self.phase,
        )
