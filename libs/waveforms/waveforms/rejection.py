"""Draws from a prior that are loud enough."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from conventions.errors import UserError
from conventions.progress import Progress, silent
from ledger.injections import BilbyParameterSet, InjectionParameterSet

from waveforms.estimate import TOLERANCE, SnrEstimate
from waveforms.generation import BATCH, WaveformGenerator
from waveforms.response import detector_responses
from waveforms.snr import ifo_snrs

Draw = Callable[[int], BilbyParameterSet]

LARGEST_BATCH = 4096
PATIENCE = 5
"""Kept draws that must be missing before the acceptance counts as too low."""


@dataclass(frozen=True)
class RejectionSample:
    """What rejection sampling kept and what it did not.

    Attributes:
        kept: parameters and SNRs of the kept draws, N rows.
        responses: their strain, float32, shape (N, ifo, time).
        rejected: parameters and SNRs of the other draws.
    """

    kept: InjectionParameterSet
    responses: np.ndarray
    rejected: InjectionParameterSet

    @property
    def num_injections(self) -> int:
        """Number of draws, kept and rejected."""
        return len(self.kept) + len(self.rejected)


@dataclass(frozen=True)
class RejectionSampler:
    """Draws binaries and keeps those whose network SNR reaches a threshold.

    Draws are independent and are looked at in their order, until the
    wanted number is kept; the last one looked at is a kept one. Draws that
    were made ahead and not looked at count neither as kept nor as rejected.

    A draw whose estimated SNR (:class:`waveforms.estimate.SnrEstimate`) is
    more than its tolerance below the threshold is rejected by that and is
    recorded with the estimate. For every other draw the waveform is made
    and its exact SNR decides and is recorded. Models of the time domain
    have no estimate; all their waveforms are made.

    Attributes:
        draw: makes a number of independent draws, masses in the detector
            frame.
        generator: makes the polarizations.
        ifos: names of the interferometers.
        psds: one-sided, in 1/Hz, at the frequencies of the waveforms;
            shape (ifo, time // 2 + 1).
        snr_threshold: network SNR from which on a draw is kept.
        highpass: lowest frequency that counts in Hz.
        lowpass: highest frequency that counts in Hz; None for Nyquist.
        minimum_acceptance: fraction of draws below which sampling is
            given up.
        source: name of the prior, for messages.
    """

    draw: Draw
    generator: WaveformGenerator
    ifos: Sequence[str]
    psds: np.ndarray
    snr_threshold: float
    highpass: float | None
    lowpass: float | None = None
    minimum_acceptance: float = 1e-5
    source: str = "the prior"

    @cached_property
    def _estimate(self) -> SnrEstimate | None:
        if not SnrEstimate.available(self.generator):
            return None
        return SnrEstimate(
            self.generator, self.ifos, self.psds, self.highpass, self.lowpass
        )

    def sample(
        self, num_signals: int, progress: Progress = silent
    ) -> RejectionSample:
        """Draw until enough are kept.

        Args:
            num_signals: how many to keep, N.
            progress: shows how many are kept.

        Returns:
            The kept and the rejected draws.

        Raises:
            UserError: if fewer than ``minimum_acceptance`` of the draws are
                kept, or a waveform cannot be made.
        """
        shape = (num_signals, len(self.ifos), self.generator.size)
        responses = np.empty(shape, dtype=np.float32)
        kept = [self._with_snrs(self.draw(0))]
        rejected = [kept[0]]
        found = self._search(num_signals, responses, kept, rejected)
        for _ in progress(found, num_signals, "injections"):
            pass
        return RejectionSample(
            InjectionParameterSet.concatenate(kept),
            responses,
            InjectionParameterSet.concatenate(rejected),
        )

    def _search(
        self,
        num_signals: int,
        responses: np.ndarray,
        kept: list[InjectionParameterSet],
        rejected: list[InjectionParameterSet],
    ) -> Iterator[int]:
        """Fill the arguments; yield after each draw that is kept."""
        done = drawn = 0
        while done < num_signals:
            acceptance = max((done + 1) / (drawn + 10), 1e-3)
            size = int(np.ceil((num_signals - done) / acceptance))
            batch = self.draw(min(size, LARGEST_BATCH))
            for draws, snrs, strain in self._examine(batch):
                loud = np.linalg.norm(snrs, axis=1) >= self.snr_threshold
                places = np.flatnonzero(loud)[: num_signals - done]
                if len(places) == num_signals - done:
                    end = places[-1] + 1
                    draws, snrs, loud = draws[:end], snrs[:end], loud[:end]
                table = self._with_snrs(draws, snrs)
                kept.append(table[loud])
                rejected.append(table[~loud])
                drawn += len(draws)
                for place in places:
                    responses[done] = strain[place]
                    done += 1
                    yield done
                if done == num_signals:
                    return
            self._check_acceptance(done, drawn)

    def _examine(
        self, draws: BilbyParameterSet
    ) -> Iterator[tuple[BilbyParameterSet, np.ndarray, dict[int, np.ndarray]]]:
        """Find SNRs in the order of the draws, a run of them at a time.

        Yields:
            Some draws, their ifo SNRs, and the strain of the candidates
            among them, by their place.
        """
        snrs = np.full((len(draws), len(self.ifos)), np.inf)
        if self._estimate is not None:
            snrs = self._estimate(draws)
        floor = self.snr_threshold * (1 - TOLERANCE)
        candidates = np.flatnonzero(np.linalg.norm(snrs, axis=1) >= floor)
        start = 0
        while start < len(draws):
            some, candidates = candidates[:BATCH], candidates[BATCH:]
            end = some[-1] + 1 if len(candidates) else len(draws)
            strain = self._strain(draws[some])
            snrs[some] = ifo_snrs(
                strain,
                self.psds,
                self.generator.sample_rate,
                self.highpass,
                self.lowpass,
            )
            places = (some - start).tolist()
            rows = slice(start, end)
            yield (
                draws[rows],
                snrs[rows],
                dict(zip(places, strain, strict=True)),
            )
            start = end

    def _strain(self, draws: BilbyParameterSet) -> np.ndarray:
        plus, cross = self.generator(draws)
        return detector_responses(
            plus, cross, draws, self.ifos, self.generator.sample_rate
        )

    def _with_snrs(
        self, draws: BilbyParameterSet, snrs: np.ndarray | None = None
    ) -> InjectionParameterSet:
        if snrs is None:
            snrs = np.empty((len(draws), len(self.ifos)))
        columns = {name: getattr(draws, name) for name in draws.columns()}
        return InjectionParameterSet(
            **columns,
            snr=np.linalg.norm(snrs, axis=1),
            ifo_snrs=snrs,
            ifos=list(self.ifos),
        )

    def _check_acceptance(self, done: int, drawn: int) -> None:
        if drawn * self.minimum_acceptance > done + PATIENCE:
            raise UserError(
                f"{done} of {drawn} draws from {self.source} reach a network "
                f"SNR of {self.snr_threshold} in {', '.join(self.ifos)}; at "
                f"least a fraction of {self.minimum_acceptance:g} must. "
                "Lower snr_threshold, or choose a prior of nearer or heavier "
                "binaries"
            )
