"""Draws icon.png: three lines of a note, the middle one marked, on a rounded square. `uv run python release/icon.py`."""

import struct
import zlib
from pathlib import Path

import numpy as np

SIZE = 512
BACKGROUND, LINE, MARK = (24, 58, 74), (226, 236, 238), (255, 183, 77)


def draw() -> np.ndarray:
    """The pixels, `(SIZE, SIZE, 4)` of RGBA bytes; edges are smoothed over one pixel."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    image = np.zeros((SIZE, SIZE, 4))
    image[..., :3] = BACKGROUND
    image[..., 3] = 255 * _inside(x, y, (256, 256), (240, 240), 96)
    for center, half, colour in (
        ((256, 160), (136, 20), LINE),
        ((296, 256), (96, 20), MARK),
        ((228, 352), (108, 20), LINE),
        ((144, 256), (24, 24), MARK),
    ):
        covered = _inside(x, y, center, half, min(half))[..., None]
        image[..., :3] = image[..., :3] * (1 - covered) + np.array(colour) * covered
    return image.round().astype(np.uint8)


def _inside(x: np.ndarray, y: np.ndarray, center: tuple[int, int], half: tuple[int, int], radius: int) -> np.ndarray:
    """How much of each pixel a rectangle with round corners covers: its signed distance, cut to one pixel."""
    dx, dy = (abs(axis - middle) - side + radius for axis, middle, side in zip((x, y), center, half, strict=True))
    distance = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - radius
    return np.clip(0.5 - distance, 0, 1)


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of RGBA pixels."""
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


if __name__ == "__main__":
    (Path(__file__).parent.parent / "icon.png").write_bytes(png(draw()))
