"""Training LSTM autoencoders with JAX (extra `deep`): one compiled step for all segments of a shape.

Inputs are padded to the next power of two and batches to their full size, so that segments with other
signals and histories reuse the step that the first one compiled.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt

from sereno.detect.lstm_network import Float32Array, Network
from sereno.domain.errors import ExtraMissing

__all__ = [
    "CHOSEN",
    "Course",
    "Lesson",
    "Recipe",
    "Trained",
    "count_compiled",
    "forget_compiled",
    "reconstruct_by_jax",
    "train_networks",
]

Tensor = Any
"""Of JAX, which is not there when types are checked."""
Parameters = dict[str, Tensor]
Index = npt.NDArray[np.intp]
CHOSEN = ("encoding_dim", "learning_rate", "epochs", "batch_size")
_LR_FACTOR = 0.5
_MIN_GAIN = 5e-3
"""A validation loss that falls by less than this share has not fallen."""
_MAX_GRADIENT = 1.0
"""Longest gradient that is followed: an odd batch must not throw the weights away."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyper-parameters of one training.

    Attributes:
        encoding_dim: Size of the code.
        epochs: Passes over the training sequences, at most.
        patience: Epochs without gain after which training stops.
        patience_lr: Epochs without gain after which the learning rate is halved.
        dropped: Share of the cells that are hidden from the encoder and must be told all the same.
    """

    encoding_dim: int
    learning_rate: float
    epochs: int
    batch_size: int
    patience: int
    patience_lr: int
    dropped: float

    @property
    def chosen(self) -> dict[str, float]:
        """The hyper-parameters that a grid may choose, by name."""
        return {name: getattr(self, name) for name in CHOSEN}


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one segment's network learns from.

    Attributes:
        name: Of the segment; with the seed it decides everything random.
        inputs: Scaled rows of all members, unknown cells at 0, shape (rows, inputs), signals first.
        is_known: Cells that count in the loss, shape (rows, signals).
        ends: Last rows of the training sequences.
        later: Last rows of the sequences after them, by which training is stopped and recipes are compared.
        recipes: To choose among.
    """

    name: str
    inputs: Float32Array
    is_known: npt.NDArray[np.bool_]
    ends: Index
    later: Index
    length: int
    seed: int
    recipes: tuple[Recipe, ...]


@dataclass(frozen=True, slots=True)
class Trained:
    """The best network of a lesson and how it was learnt.

    Attributes:
        losses: Training and validation loss (mean squared error) of each epoch, shape (epochs, 2).
        trials: Best validation loss of each recipe.
    """

    network: Network
    recipe: Recipe
    losses: npt.NDArray[np.float64]
    trials: tuple[float, ...]


def train_networks(lessons: Sequence[Lesson], *, workers: int = 1) -> list[Trained]:
    """A network for each lesson, the same whether they are trained in turn or by several processes.

    Raises:
        ExtraMissing: JAX or optax is not installed.
    """
    _framework()
    if workers > 1 and len(lessons) > 1:
        with ProcessPoolExecutor(min(workers, len(lessons)), mp_context=get_context("spawn")) as pool:
            return list(pool.map(_learn, lessons))
    with _progress(sum(recipe.epochs for lesson in lessons for recipe in lesson.recipes)) as progress:
        return [_learn(lesson, progress) for lesson in lessons]


def reconstruct_by_jax(network: Network, sequences: Float32Array) -> Float32Array:
    """Whole sequences as the network tells them, by the framework that trains it.

    Args:
        sequences: Shape (sequences, rows, inputs).

    Returns:
        Shape (sequences, rows, signals).
    """
    told: Float32Array = np.asarray(_compiled().reconstruct(network.to_arrays(), sequences))
    return told


def count_compiled() -> int:
    """Shapes for which this process has compiled the training step."""
    return int(_compiled().step._cache_size())


def forget_compiled() -> None:
    """Let go of what was compiled, as a fresh process has it."""
    _compiled.cache_clear()


def _framework() -> tuple[Tensor, Tensor]:
    """The modules jax and optax."""
    try:
        return import_module("jax"), import_module("optax")
    except ImportError as error:
        raise ExtraMissing(feature="Training LSTM autoencoders", extra="deep") from error


def _learn(lesson: Lesson, told: Callable[[str, int], None] | None = None) -> Trained:
    """Train each recipe; the one with the lowest loss on the later sequences is kept."""
    best: Trained | None = None
    trials = []
    for recipe in lesson.recipes:
        trained = _train(lesson, recipe, told or _silent)
        trials.append(float(trained.losses[:, 1].min()))
        if best is None or trials[-1] < min(trials[:-1]):
            best = trained
    assert best is not None
    return Trained(best.network, best.recipe, best.losses, tuple(trials))


def _train(lesson: Lesson, recipe: Recipe, told: Callable[[str, int], None]) -> Trained:
    n_inputs, n_signals = lesson.inputs.shape[1], lesson.is_known.shape[1]
    rng = np.random.default_rng([lesson.seed, recipe.encoding_dim, *lesson.name.encode()])
    inputs, is_known = _padded(lesson)
    compiled = _compiled()
    first = _drawn(n_inputs, n_signals, inputs.shape[1], recipe.encoding_dim, rng)
    parameters: Parameters = compiled.place(first)
    course = Course(recipe)
    momentum = compiled.begin(parameters)
    for epoch in range(recipe.epochs):
        order = lesson.ends[rng.permutation(len(lesson.ends))]
        total = 0.0
        for ends in _batches(order, recipe.batch_size):
            batch = _batch(inputs, is_known, ends, lesson.length)
            hidden = _hidden(batch[0].shape, recipe.dropped, rng)
            rate = np.float32(course.rate)
            parameters, momentum, loss = compiled.step(parameters, momentum, *batch, hidden, rate)
            total += float(loss) * int((ends >= 0).sum())
        validation = _validation(compiled, parameters, lesson, recipe, (inputs, is_known))
        is_over = course.note(total / len(order), validation, parameters)
        told(lesson.name, recipe.epochs - epoch if is_over else 1)
        if is_over:
            break
    network = Network.from_arrays(_cut(course.best, n_inputs, n_signals))
    return Trained(network, recipe, np.array(course.losses), ())


@dataclass(slots=True)
class Course:
    """Early stopping and the learning rate over the epochs of one training."""

    recipe: Recipe
    rate: float = field(init=False)
    best: Parameters = field(default_factory=dict)
    losses: list[tuple[float, float]] = field(default_factory=list)
    _lowest: float = np.inf
    _n_worse: int = 0

    def __post_init__(self) -> None:
        self.rate = self.recipe.learning_rate

    def note(self, training: float, validation: float, parameters: Parameters) -> bool:
        """Take an epoch's losses in; whether training is over."""
        self.losses.append((training, validation))
        if validation < self._lowest * (1 - _MIN_GAIN) or not self.best:
            self._lowest, self.best, self._n_worse = validation, parameters, 0
            return False
        self._n_worse += 1
        if self._n_worse % self.recipe.patience_lr == 0:
            self.rate *= _LR_FACTOR
        return self._n_worse >= self.recipe.patience


@dataclass(frozen=True, slots=True)
class _Compiled:
    """Functions that JAX compiles once for each shape of their arguments."""

    place: Callable[[Parameters], Parameters]
    begin: Callable[[Parameters], Tensor]
    step: Tensor
    loss: Callable[..., Tensor]
    reconstruct: Callable[..., Tensor]


@cache
def _compiled() -> _Compiled:
    jax, optax = _framework()
    jnp = jax.numpy
    rule = optax.chain(optax.clip_by_global_norm(_MAX_GRADIENT), optax.scale_by_adam())

    def run(parameters: Parameters, part: str, driven: Tensor, n_hidden: int) -> Tensor:
        """Hidden states of each step; `driven` (steps, sequences, 4 hidden)."""
        weights = parameters[f"{part}_hidden"]
        nothing = jnp.zeros((driven.shape[1], n_hidden), dtype=driven.dtype)

        def advance(state: tuple[Tensor, Tensor], one: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
            hidden, cell = state
            enter, forget, leave, candidate = jnp.split(one + hidden @ weights, 4, axis=1)
            cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(enter) * jnp.tanh(candidate)
            hidden = jax.nn.sigmoid(leave) * jnp.tanh(cell)
            return (hidden, cell), hidden

        return jax.lax.scan(advance, (nothing, nothing), driven)[1]

    def reconstruct(parameters: Parameters, inputs: Tensor) -> Tensor:
        n_hidden = parameters["encoder_hidden"].shape[0]
        driven = jnp.swapaxes(inputs, 0, 1) @ parameters["encoder_input"] + parameters["encoder_bias"]
        code = run(parameters, "encoder", driven, n_hidden)[-1]
        driven = code @ parameters["decoder_input"] + parameters["decoder_bias"]
        steps = jnp.broadcast_to(driven, (inputs.shape[1], *driven.shape))
        told = run(parameters, "decoder", steps, n_hidden) @ parameters["output"] + parameters["output_bias"]
        return jnp.swapaxes(told[::-1], 0, 1)

    def loss(parameters: Parameters, inputs: Tensor, is_known: Tensor, is_hidden: Tensor) -> Tensor:
        told = reconstruct(parameters, jnp.where(is_hidden, 0.0, inputs))
        squared = jnp.where(is_known, (told - inputs) ** 2, 0.0)
        return squared.sum() / jnp.maximum(is_known.sum(), 1)

    def step(
        parameters: Parameters,
        momentum: Tensor,
        inputs: Tensor,
        is_known: Tensor,
        is_hidden: Tensor,
        rate: Tensor,
    ) -> tuple[Parameters, Tensor, Tensor]:
        value, slope = jax.value_and_grad(loss)(parameters, inputs, is_known, is_hidden)
        moves, momentum = rule.update(slope, momentum)
        return jax.tree.map(lambda p, m: p - rate * m, parameters, moves), momentum, value

    return _Compiled(jax.device_put, rule.init, jax.jit(step), jax.jit(loss), jax.jit(reconstruct))


def _validation(
    compiled: _Compiled,
    parameters: Parameters,
    lesson: Lesson,
    recipe: Recipe,
    padded: tuple[Float32Array, npt.NDArray[np.bool_]],
) -> float:
    total = 0.0
    for ends in _batches(lesson.later, recipe.batch_size):
        inputs, is_known = _batch(*padded, ends, lesson.length)
        shown = np.zeros(inputs.shape, dtype=bool)
        total += float(compiled.loss(parameters, inputs, is_known, shown)) * int((ends >= 0).sum())
    return total / len(lesson.later)


def _batches(ends: Index, size: int) -> Iterator[Index]:
    """Batches of one size; -1 fills the last one."""
    for first in range(0, len(ends), size):
        batch = ends[first : first + size]
        yield np.concatenate([batch, np.full(size - len(batch), -1, dtype=batch.dtype)])


def _batch(
    inputs: Float32Array, is_known: npt.NDArray[np.bool_], ends: Index, length: int
) -> tuple[Float32Array, npt.NDArray[np.bool_]]:
    """Sequences (batch, length, inputs) and which of their cells count."""
    rows = np.maximum(ends, length - 1)[:, None] + np.arange(1 - length, 1)
    return inputs[rows], is_known[rows] & (ends >= 0)[:, None, None]


def _hidden(shape: tuple[int, ...], share: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Cells that the encoder does not see: single ones, and stretches of as many sequences' signals."""
    n_sequences, length, n_inputs = shape
    single = rng.random(shape, dtype=np.float32) < share
    first, last = np.sort(rng.integers(0, length, (2, n_sequences, 1, n_inputs)), axis=0)
    rows = np.arange(length)[:, None]
    is_chosen = rng.random((n_sequences, 1, n_inputs), dtype=np.float32) < share
    hidden: npt.NDArray[np.bool_] = single | (is_chosen & (rows >= first) & (rows <= last))
    return hidden


def _padded(lesson: Lesson) -> tuple[Float32Array, npt.NDArray[np.bool_]]:
    """Inputs and known cells with columns up to the next power of two, which carry and count for nothing."""
    n_rows, n_inputs = lesson.inputs.shape
    width = 1 << (n_inputs - 1).bit_length()
    inputs = np.zeros((n_rows, width), dtype=np.float32)
    inputs[:, :n_inputs] = lesson.inputs
    is_known = np.zeros((n_rows, width), dtype=bool)
    is_known[:, : lesson.is_known.shape[1]] = lesson.is_known
    return inputs, is_known


def _drawn(
    n_inputs: int, n_signals: int, width: int, n_hidden: int, rng: np.random.Generator
) -> dict[str, Float32Array]:
    """First weights (Glorot, Bengio 2010, equation 16), none for the padding; the forget gates begin open."""

    def weights(n_rows: int, n_columns: int) -> Float32Array:
        reach = np.sqrt(6.0 / (n_rows + n_columns))
        return rng.uniform(-reach, reach, (n_rows, n_columns)).astype(np.float32)

    bias = np.repeat(np.array([0.0, 1.0, 0.0, 0.0], dtype=np.float32), n_hidden)
    entry = np.zeros((width, 4 * n_hidden), dtype=np.float32)
    entry[:n_inputs] = weights(n_inputs, 4 * n_hidden)
    output = np.zeros((n_hidden, width), dtype=np.float32)
    output[:, :n_signals] = weights(n_hidden, n_signals)
    return {
        "encoder_input": entry,
        "encoder_hidden": weights(n_hidden, 4 * n_hidden),
        "encoder_bias": bias,
        "decoder_input": weights(n_hidden, 4 * n_hidden),
        "decoder_hidden": weights(n_hidden, 4 * n_hidden),
        "decoder_bias": bias.copy(),
        "output": output,
        "output_bias": np.zeros(width, dtype=np.float32),
    }


def _cut(weights: Parameters, n_inputs: int, n_signals: int) -> dict[str, Float32Array]:
    cut = {name: np.asarray(one) for name, one in weights.items()}
    cut["encoder_input"] = cut["encoder_input"][:n_inputs]
    cut["output"], cut["output_bias"] = cut["output"][:, :n_signals], cut["output_bias"][:n_signals]
    return {name: np.ascontiguousarray(one) for name, one in cut.items()}


@contextmanager
def _progress(n_epochs: int) -> Iterator[Callable[[str, int], None]]:
    """A bar over all epochs on stderr, on a terminal only."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("LSTM", total=n_epochs)
        yield lambda name, epochs: bar.update(task, advance=epochs, description=f"LSTM {name}")


def _silent(_name: str, _epochs: int) -> None:
    pass
