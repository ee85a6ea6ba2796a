"""The ways a product of the network can be computed: float32, calibrated int8, and 4 bits of weight."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from network import WIDTH, Array, Graph, Lookup, Product, Weights, product_weights

GELU_MINIMUM = 0.17
"""GELU is never below -0.16998, so adding this makes it non-negative."""
PAIR_LIMIT = 127
"""Neighbouring weights of one sign add up to at most this (128 after rounding), times 255 fits 16 bits.

CPUs without VNNI add the products of two neighbours in a saturating 16-bit register; within this limit nothing saturates, and every CPU gets the same integers.
"""
BY_TOKEN = ("context", "contract")
"""The products whose inputs differ so much from token to token that each token gets a step of its own; the others follow a LayerNorm."""
BLOCK = 32


@dataclass(frozen=True, slots=True)
class Range:
    """How an input becomes bytes, channel by channel: byte = round(input * gain + zero), kept within 0 to 255.

    For the products in BY_TOKEN input * gain + zero is divided by the token's step first.
    """

    gain: Array
    zero: Array
    mean: Array
    """The input's mean over the calibration text; its product is computed exactly, only the deviation from it in bytes."""

    @staticmethod
    def read(fields: Mapping[str, str]) -> "Range":
        """From the half-precision numbers in base64 that calibration.json holds."""
        return Range(*(_decode(fields[name]) for name in ("gain", "zero", "mean")))

    def written(self) -> dict[str, str]:
        """As calibration.json holds it."""
        return {
            name: _encode(values) for name, values in (("gain", self.gain), ("zero", self.zero), ("mean", self.mean))
        }


def _decode(text: str) -> Array:
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float64)


def _encode(values: Array) -> str:
    return base64.b64encode(values.astype("<f2").tobytes()).decode()


def float_lookup(weights: Weights) -> Lookup:
    """Word vectors in float32."""

    def lookup(graph: Graph, ids: str) -> str:
        return graph.op("Gather", graph.constant("words", weights["embeddings.word_embeddings.weight"]), ids)

    return lookup


def byte_lookup(weights: Weights) -> Lookup:
    """Word vectors as signed bytes with a scale each."""
    table = weights["embeddings.word_embeddings.weight"]
    scale = np.max(np.abs(table), axis=1, keepdims=True) / np.float32(127)
    rows = np.rint(table / scale).astype(np.int8)

    def lookup(graph: Graph, ids: str) -> str:
        words = graph.op("Cast", graph.op("Gather", graph.constant("words", rows), ids), to=1)
        return graph.op("Mul", words, graph.op("Gather", graph.constant("word_scales", scale), ids))

    return lookup


def float_product(weights: Weights) -> Product:
    """Products in float32."""

    def product(graph: Graph, values: str, layer: int, name: str) -> str:
        matrix, bias = product_weights(weights, layer, name)
        result = graph.op("MatMul", values, graph.constant(f"{name}_{layer}_weight", matrix))
        return graph.op("Add", result, graph.constant(f"{name}_{layer}_bias", bias))

    return product


def quantise_columns(matrix: Array) -> tuple[Array, Array]:
    """Signed bytes of a matrix (in, out) and a float64 scale per column, within PAIR_LIMIT."""
    pairs = matrix.reshape(-1, 2, matrix.shape[1])
    upper = np.maximum(pairs, 0)
    lower = np.maximum(-pairs, 0)
    sums = np.maximum(upper[:, 0] + upper[:, 1], lower[:, 0] + lower[:, 1])
    scale = np.max(sums, axis=0) / PAIR_LIMIT
    return np.rint(matrix / scale).astype(np.int8), scale


def weighted_sum(vector: Array, matrix: Array) -> Array:
    """vector @ matrix in float64, added up row by row so that every machine gets the same bits."""
    total = np.zeros(matrix.shape[1], np.float64)
    for value, row in zip(vector, matrix, strict=True):
        total += value * row.astype(np.float64)
    return total


def byte_product(weights: Weights, ranges: Mapping[str, Range]) -> Product:
    """Products of bytes: inputs by their calibrated `ranges`, those of BY_TOKEN with a step for each token besides."""

    def product(graph: Graph, values: str, layer: int, name: str) -> str:
        place = f"{name}_{layer}"
        matrix, bias = product_weights(weights, layer, name)
        inputs = ranges[place]
        columns, scale = quantise_columns(matrix.astype(np.float64) / inputs.gain[:, None])
        bias = (
            bias
            + weighted_sum(inputs.mean, matrix)
            - scale * weighted_sum(inputs.zero + inputs.mean * inputs.gain, columns)
        )
        if name == "qkv":
            # The context's range is applied where it costs nothing: to the values it is a weighted mean of.
            onward = ranges[f"context_{layer}"]
            scale[2 * WIDTH :] *= onward.gain
            bias[2 * WIDTH :] *= onward.gain
        if name != "context":
            values = graph.op("Mul", values, _float32(graph, f"{place}_gain", inputs.gain))
            values = graph.op("Add", values, _float32(graph, f"{place}_zero", inputs.zero))
        integers = Integers(place, columns, scale, bias)
        return (_by_token if name in BY_TOKEN else _fixed)(graph, values, integers)

    return product


@dataclass(frozen=True, slots=True)
class Integers:
    """A product's matrix in signed bytes, with what makes its result real numbers again."""

    place: str
    columns: Array
    scale: Array
    bias: Array


def _fixed(graph: Graph, values: str, integers: Integers) -> str:
    bias = _float32(graph, f"{integers.place}_bias", integers.bias)
    quantised = graph.op("QuantizeLinear", values, graph.scalar(1), graph.scalar(0, np.uint8))
    return _integer_product(graph, quantised, integers, "", "", bias)


def _by_token(graph: Graph, values: str, integers: Integers) -> str:
    """With a step that makes each token's largest value the largest byte; the context's middle byte is 128, for it has both signs."""
    signed = integers.place.startswith("context")
    peak = graph.op("ReduceMax", graph.op("Abs", values) if signed else values, graph.ints(-1), keepdims=1)
    step = graph.op("Div", graph.op("Max", peak, graph.scalar(1e-9)), graph.scalar(127 if signed else 255))
    zero = graph.scalar(128 if signed else 0, np.uint8)
    quantised = graph.op("QuantizeLinear", graph.op("Div", values, step), graph.scalar(1), zero)
    result = _integer_product(graph, quantised, integers, zero)
    return graph.op("Add", graph.op("Mul", result, step), _float32(graph, f"{integers.place}_bias", integers.bias))


def _integer_product(graph: Graph, quantised: str, integers: Integers, *rest: str) -> str:
    columns = graph.constant(f"{integers.place}_weight", integers.columns)
    scale = _float32(graph, f"{integers.place}_scale", integers.scale)
    return graph.op("MatMulIntegerToFloat", quantised, columns, graph.scalar(1), scale, *rest, domain="com.microsoft")


def _float32(graph: Graph, name: str, values: Array) -> str:
    return graph.constant(name, values.astype(np.float32))


def nibble_product(weights: Weights) -> Product:
    """Products in float32 with weights of 4 bits, a scale for each block of 32."""

    def product(graph: Graph, values: str, layer: int, name: str) -> str:
        matrix, bias = product_weights(weights, layer, name)
        rows = matrix.T.reshape(matrix.shape[1], -1, BLOCK)
        peak = np.take_along_axis(rows, np.argmax(np.abs(rows), axis=2)[..., None], axis=2)
        scale = peak / np.float32(-8)
        levels = np.clip(np.rint(rows / scale) + 8, 0, 15).astype(np.uint8)
        packed = levels[..., ::2] | (levels[..., 1::2] << 4)
        blocks = graph.constant(f"{name}_{layer}_weight", packed)
        scales = _float32(graph, f"{name}_{layer}_scale", scale[..., 0].reshape(-1))
        size = {"K": matrix.shape[0], "N": matrix.shape[1], "bits": 4, "block_size": BLOCK}
        result = graph.op("MatMulNBits", values, blocks, scales, domain="com.microsoft", **size)
        return graph.op("Add", result, _float32(graph, f"{name}_{layer}_bias", bias))

    return product
