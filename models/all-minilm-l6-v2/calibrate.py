"""Measures, on calibration.txt, how each product's input should become bytes."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from network import LAYERS, PRODUCTS, Array, Weights, product_input, product_weights
from products import GELU_MINIMUM, Range, quantise_columns

MIGRATIONS = tuple((inputs, weights) for inputs in (0.0, 0.25, 0.5, 0.75, 1.0) for weights in (0.0, 0.25, 0.5))
"""How the channels of an input are balanced against the weights: divided by spread**first / weight**second.

(a, 1 - a) is SmoothQuant (Xiao et al. 2023), (0, 0) leaves them as they are.
"""
MARGINS = (1.1, 1.4)
"""How far beyond what the calibration text shows a range reaches: what lies further out is clipped."""

States = Callable[[Sequence[str], Sequence[str]], dict[str, Array]]
"""(texts, tensor names) -> for each tensor its rows over all tokens."""


def calibrate(weights: Weights, states: States, texts: Path) -> dict[str, dict[str, str]]:
    """For each product the gains, zeros and means of its input, as calibration.json holds them."""
    sentences = [line for line in texts.read_text(encoding="utf-8").splitlines() if line.strip()]
    ranges: dict[str, dict[str, str]] = {}
    for layer in range(LAYERS):
        for product in PRODUCTS:
            tensor = product_input(layer, product)
            matrix, _ = product_weights(weights, layer, product)
            candidates = {"context": _signed_by_token, "contract": _positive_by_token}.get(product, _fixed)
            ranges[f"{product}_{layer}"] = _best(candidates, states(sentences, [tensor])[tensor], matrix).written()
    return ranges


Candidate = tuple[Range, Array]
"""A range, and the bytes' values that the inputs would get by it, as real numbers."""


def _best(candidates: Callable[[Array, Array], Iterator[Candidate]], inputs: Array, matrix: Array) -> Range:
    """Of all candidates the range whose product is nearest to the exact one, in mean square."""
    exact = (inputs - inputs.mean(axis=0)) @ matrix
    return min(
        ((_loss(*candidate, matrix=matrix, exact=exact), candidate[0]) for candidate in candidates(inputs, matrix)),
        key=lambda x: x[0],
    )[1]


def _fixed(inputs: Array, matrix: Array) -> Iterator[Candidate]:
    """Ranges that hold for every token."""
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    spread = np.maximum((high - low) / 2, 1e-3)
    for migration in MIGRATIONS:
        balance = _balance(spread, matrix, migration)
        for margin in MARGINS:
            gain = 127.5 / margin / (np.max(spread / balance) * balance)
            found = _rounded(gain, 127.5 - gain * (high + low) / 2, inputs)
            yield found, np.clip(np.rint(inputs * found.gain + found.zero), 0, 255)


def _signed_by_token(inputs: Array, matrix: Array) -> Iterator[Candidate]:
    """Ranges around zero that follow each token's largest magnitude."""
    for migration in MIGRATIONS:
        found = _rounded(1 / _balance(np.abs(inputs).max(axis=0), matrix, migration), np.zeros(len(matrix)), inputs)
        values = inputs * found.gain
        step = np.abs(values).max(axis=1, keepdims=True) / 127
        yield found, np.clip(np.rint(values / step), -128, 127) * step


def _positive_by_token(inputs: Array, matrix: Array) -> Iterator[Candidate]:
    """Ranges upwards from GELU's minimum that follow each token's largest value."""
    for migration in MIGRATIONS:
        gain = 1 / _balance(inputs.max(axis=0) + GELU_MINIMUM, matrix, migration)
        found = _rounded(gain, GELU_MINIMUM * gain, inputs)
        values = inputs * found.gain + found.zero
        step = values.max(axis=1, keepdims=True) / 255
        yield found, np.clip(np.rint(values / step), 0, 255) * step


def _balance(spread: Array, matrix: Array, migration: tuple[float, float]) -> Array:
    return spread ** migration[0] / np.abs(matrix).max(axis=1) ** migration[1]


def _rounded(gain: Array, zero: Array, inputs: Array) -> Range:
    return Range.read(Range(gain, zero, inputs.mean(axis=0)).written())


def _loss(candidate: Range, values: Array, *, matrix: Array, exact: Array) -> float:
    columns, scale = quantise_columns(matrix / candidate.gain[:, None])
    deviation = values - (candidate.zero + candidate.mean * candidate.gain)
    product = (deviation.astype(np.float32) @ columns.astype(np.float32)) * scale
    return float(np.mean((product - exact) ** 2))
