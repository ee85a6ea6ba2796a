"""The network of all-MiniLM-L6-v2 as an ONNX graph, with its matrix products left to be chosen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

LAYERS = 6
HEADS = 12
WIDTH = 384
HEAD_WIDTH = WIDTH // HEADS
PRODUCTS = ("qkv", "context", "expand", "contract")
"""The four matrix products of a layer: queries, keys and values in one; attention's output; the two of the feed-forward."""

OPSET = 20
IR_VERSION = 10
EXTERNAL_FROM = 16_384
"""Tensors of at least this many bytes go to the data file; smaller ones stay in the graph."""
ALIGNMENT = 65_536
"""Offset granularity in the data file, so that every tensor can be memory-mapped on every system (Windows needs 64 KiB)."""
MASKED = -1e4
"""Added to a masked score: its exponential is zero in float32."""

Array = NDArray[Any]
Weights = Mapping[str, Array]


@dataclass
class Graph:
    """An ONNX graph in the making; `op` appends a node and returns the name of its output."""

    nodes: list[onnx.NodeProto] = field(default_factory=list[onnx.NodeProto])
    constants: dict[str, Array] = field(default_factory=dict[str, Array])

    def op(
        self, kind: str, *inputs: str, name: str = "", outputs: int = 1, domain: str = "", **attributes: object
    ) -> str:
        """Append a node; with several `outputs` they are called NAME, NAME.1, NAME.2 and so on."""
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        names = [name, *(f"{name}.{i}" for i in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, domain=domain, **attributes))
        return name

    def constant(self, name: str, values: Array) -> str:
        """Keep an array under a name; the same name again is the same array."""
        self.constants[name] = values
        return name

    def scalar(self, value: float, dtype: type = np.float32) -> str:
        return self.constant(f"{dtype.__name__}_{value:g}", np.array(value, dtype))

    def ints(self, *values: int) -> str:
        return self.constant("ints_" + "_".join(map(str, values)), np.array(values, np.int64))


Product = Callable[[Graph, str, int, str], str]
"""Appends one matrix product with its bias: (graph, input, layer, one of PRODUCTS) -> output."""
Lookup = Callable[[Graph, str], str]
"""Appends the look-up of word vectors: (graph, token ids) -> vectors."""


def product_weights(weights: Weights, layer: int, product: str) -> tuple[Array, Array]:
    """The matrix, shape (in, out), and the bias of one product in float32; scores' 1/sqrt(width) is folded into the queries."""
    prefix = f"encoder.layer.{layer}."
    if product == "qkv":
        parts = [prefix + f"attention.self.{part}" for part in ("query", "key", "value")]
        matrix = np.concatenate([weights[f"{part}.weight"].T for part in parts], axis=1)
        bias = np.concatenate([weights[f"{part}.bias"] for part in parts])
        factor = np.ones(3 * WIDTH, np.float32)
        factor[:WIDTH] = 1 / sqrt(HEAD_WIDTH)
        return matrix * factor, bias * factor
    part = {"context": "attention.output.dense", "expand": "intermediate.dense", "contract": "output.dense"}[product]
    return np.ascontiguousarray(weights[f"{prefix}{part}.weight"].T), weights[f"{prefix}{part}.bias"]


def sentence_encoder(weights: Weights, lookup: Lookup, product: Product) -> Graph:
    """The whole network: input_ids and attention_mask to sentence_embedding (mean of the states, unit length) and token_embeddings."""
    graph = Graph()
    length = graph.op("Shape", "input_ids", start=1, end=2)
    table = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    positions = graph.op("Slice", graph.constant("positions", table), graph.ints(0), length, graph.ints(0))
    summed = graph.op("Add", lookup(graph, "input_ids"), positions)
    states = _layer_norm(graph, summed, weights, "embeddings.LayerNorm", name="embedded")

    mask = graph.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    masked = graph.op("Mul", graph.op("Sub", graph.scalar(1), mask), graph.scalar(MASKED))
    masked = graph.op("Unsqueeze", masked, graph.ints(1, 2))
    for layer in range(LAYERS):
        states = _transformer_layer(graph, states, layer, masked=masked, weights=weights, product=product)

    graph.op("Identity", states, name="token_embeddings")
    # A running sum adds up token by token, whatever follows them; ReduceSum's order depends on how many there are.
    kept = graph.op("Mul", states, graph.op("Unsqueeze", mask, graph.ints(2)))
    running = graph.op("CumSum", kept, graph.scalar(1, np.int64))
    total = graph.op("Gather", running, graph.scalar(-1, np.int64), axis=1)
    length = graph.op("Max", graph.op("ReduceL2", total, graph.ints(1), keepdims=1), graph.scalar(1e-12))
    graph.op("Div", total, length, name="sentence_embedding")
    return graph


def _transformer_layer(
    graph: Graph, states: str, layer: int, *, masked: str, weights: Weights, product: Product
) -> str:
    prefix = f"encoder.layer.{layer}."
    qkv = graph.op("Split", product(graph, states, layer, "qkv"), outputs=3, axis=-1, num_outputs=3)
    shape = graph.ints(0, 0, HEADS, HEAD_WIDTH)
    query, key, value = (
        graph.op("Transpose", graph.op("Reshape", part, shape), perm=order)
        for part, order in ((qkv, (0, 2, 1, 3)), (f"{qkv}.1", (0, 2, 3, 1)), (f"{qkv}.2", (0, 2, 1, 3)))
    )
    scores = graph.op("Add", graph.op("MatMul", query, key), masked)
    context = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), value)
    context = graph.op(
        "Reshape", graph.op("Transpose", context, perm=(0, 2, 1, 3)), graph.ints(0, 0, WIDTH), name=f"context_{layer}"
    )
    attended = graph.op("Add", states, product(graph, context, layer, "context"))
    states = _layer_norm(graph, attended, weights, prefix + "attention.output.LayerNorm", name=f"attended_{layer}")
    expanded = graph.op("Gelu", product(graph, states, layer, "expand"), name=f"expanded_{layer}")
    contracted = graph.op("Add", states, product(graph, expanded, layer, "contract"))
    return _layer_norm(graph, contracted, weights, prefix + "output.LayerNorm", name=f"states_{layer}")


def _layer_norm(graph: Graph, values: str, weights: Weights, source: str, *, name: str) -> str:
    gamma = graph.constant(f"{source}.weight", weights[f"{source}.weight"])
    beta = graph.constant(f"{source}.bias", weights[f"{source}.bias"])
    return graph.op("LayerNormalization", values, gamma, beta, name=name, axis=-1, epsilon=1e-12)


def product_input(layer: int, product: str) -> str:
    """The name of the tensor that goes into a product."""
    before = f"states_{layer - 1}" if layer else "embedded"
    return {
        "qkv": before,
        "context": f"context_{layer}",
        "expand": f"attended_{layer}",
        "contract": f"expanded_{layer}",
    }[product]


def serialise(graph: Graph, *, data_name: str, extra_outputs: tuple[str, ...] = ()) -> tuple[bytes, bytes]:
    """The graph as (model file, data file); the large tensors lie aligned in the data file, which the model names `data_name`."""
    tensors: list[TensorProto] = []
    data = bytearray()
    for name in sorted(graph.constants):
        values = graph.constants[name].copy(order="C")
        if values.nbytes < EXTERNAL_FROM:
            tensors.append(onnx.numpy_helper.from_array(values, name))
            continue
        data.extend(bytes(-len(data) % ALIGNMENT))
        tensors.append(_external(name, values, data_name=data_name, offset=len(data)))
        data.extend(values.tobytes())
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [
        helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", WIDTH]),
        helper.make_tensor_value_info("token_embeddings", TensorProto.FLOAT, ["batch", "tokens", WIDTH]),
        *(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in extra_outputs),
    ]
    body = helper.make_graph(graph.nodes, "all-minilm-l6-v2", ids, outputs, initializer=tensors)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(body, opset_imports=opsets, ir_version=IR_VERSION, producer_name="mcp-memory")
    return model.SerializeToString(deterministic=True), bytes(data)


def _external(name: str, values: Array, *, data_name: str, offset: int) -> TensorProto:
    tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(values.dtype), dims=values.shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", data_name), ("offset", offset), ("length", values.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor
