"""An LSTM autoencoder as arrays, run in NumPy: no framework is needed to judge with it.

The encoder reads a sequence and leaves its last hidden state, the code; the decoder tells the rows from the
code, the last one first, so that the rows that are judged cost few steps.

Source:
    Hochreiter, Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, with forget gates (Gers
    et al., 2000); reconstruction in reverse order as in Malhotra et al., "LSTM-based Encoder-Decoder for
    Multi-sensor Anomaly Detection", 2016, section 2; here the decoder is fed the code instead of its own
    output.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Float32Array", "Network"]

Float32Array = npt.NDArray[np.float32]
_BLOCK = 256
"""Sequences run at once: their states stay in the processor's cache."""
_HALF = np.float32(0.5)


@dataclass(frozen=True)
class Network:
    """The weights; gates stand in the order input, forget, output, candidate.

    Attributes:
        encoder_input: Shape (inputs, 4 hidden).
        encoder_hidden: Shape (hidden, 4 hidden).
        encoder_bias: Shape (4 hidden,).
        decoder_input: Of the code, shape (hidden, 4 hidden).
        decoder_hidden: Shape (hidden, 4 hidden).
        decoder_bias: Shape (4 hidden,).
        output: Shape (hidden, signals); the inputs begin with the signals.
        output_bias: Shape (signals,).
    """

    encoder_input: Float32Array
    encoder_hidden: Float32Array
    encoder_bias: Float32Array
    decoder_input: Float32Array
    decoder_hidden: Float32Array
    decoder_bias: Float32Array
    output: Float32Array
    output_bias: Float32Array

    @property
    def n_hidden(self) -> int:
        """Size of the code."""
        return len(self.encoder_hidden)

    def reconstruct(self, rows: Float32Array, ends: npt.NDArray[np.intp], length: int) -> Float32Array:
        """The last row of each sequence, as the network tells it from the whole sequence.

        Equal to the last bit however the sequences are cut into calls.

        Args:
            rows: Inputs, shape (rows, inputs).
            ends: Last row of each sequence.
            length: Rows of a sequence.

        Returns:
            Shape (sequences, signals).
        """
        told = np.empty((len(ends), len(self.output_bias)), dtype=np.float32)
        for first in range(0, len(ends), _BLOCK):
            block = ends[first : first + _BLOCK]
            start = int(block[0]) - length + 1
            told[first : first + len(block)] = self._told(rows[start : block[-1] + 1], block - start, length)
        return told

    def _told(self, rows: Float32Array, ends: npt.NDArray[np.intp], length: int) -> Float32Array:
        folded = self._folded
        driven = _rowwise(rows, folded.encoder_input) + folded.encoder_bias
        state = _State(len(ends), self.n_hidden)
        for back in range(length - 1, -1, -1):
            state.advance(driven.take(ends - back, axis=0), folded.encoder_hidden)
        driven = _rowwise(state.hidden, folded.decoder_input) + folded.decoder_bias
        state = _State(len(ends), self.n_hidden)
        state.advance(driven, folded.decoder_hidden)
        return _rowwise(state.hidden, self.output) + self.output_bias

    @cached_property
    def _folded(self) -> "Network":
        """Sigmoid gates halved: sigmoid(x) = (1 + tanh(x / 2)) / 2, so all gates are one call."""
        halves = np.repeat(np.array([0.5, 0.5, 0.5, 1.0], dtype=np.float32), self.n_hidden)
        gates = {
            one.name: np.ascontiguousarray(getattr(self, one.name) * halves)
            for one in fields(self)
            if not one.name.startswith("output")
        }
        return Network(**gates, output=self.output, output_bias=self.output_bias)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that `from_arrays` needs."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "Network":
        """The network that `to_arrays` described."""
        return cls(**{one.name: arrays[one.name] for one in fields(cls)})


class _State:
    """Hidden and cell state of many sequences, one step after the other, in arrays that are written over."""

    def __init__(self, n_sequences: int, n_hidden: int) -> None:
        self.hidden: Float32Array = np.zeros((n_sequences, n_hidden), dtype=np.float32)
        self._cell = np.zeros_like(self.hidden)
        self._gates = np.empty((n_sequences, 4 * n_hidden), dtype=np.float32)
        self._switches = self._gates[:, : 3 * n_hidden]
        self._enter, self._forget, self._leave, self._candidate = (
            self._gates[:, place * n_hidden : (place + 1) * n_hidden] for place in range(4)
        )

    def advance(self, driven: Float32Array, weights: Float32Array) -> None:
        """One step, `driven` (sequences, 4 hidden) by its input."""
        np.matmul(self.hidden[:, None, :], weights, out=self._gates[:, None, :])
        self._gates += driven
        np.tanh(self._gates, out=self._gates)
        self._switches *= _HALF
        self._switches += _HALF
        self._cell *= self._forget
        self._candidate *= self._enter
        self._cell += self._candidate
        np.tanh(self._cell, out=self.hidden)
        self.hidden *= self._leave


def _rowwise(rows: Float32Array, weights: Float32Array) -> Float32Array:
    """`rows @ weights`, each row multiplied apart.

    One product of all rows adds in an order that depends on how many there are.
    """
    product: Float32Array = np.matmul(rows[:, None, :], weights)[:, 0]
    return product
