"""Files of hidden states: Google's JSON lines, numpy archives, Parquet."""

import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float
from numpy.typing import NDArray

from bertsmith._files import atomic_file
from bertsmith.errors import InputError

__all__ = ["TokenFeatures", "write_features"]


@dataclass(frozen=True)
class TokenFeatures:
    """Hidden states of one text.

    Attributes:
        tokens: the pieces, `[CLS]` and `[SEP]` among them, S of them.
        offsets: their (start, end) characters in the text, (0, 0) for `[CLS]` and `[SEP]`.
        layers: hidden states, float32 [chosen layers, S, D].
    """

    tokens: list[str]
    offsets: list[tuple[int, int]]
    layers: Float[np.ndarray, "L S D"]


def write_features(
    path: Path, features: Iterable[TokenFeatures], layers: tuple[int, ...], hidden_size: int
) -> None:
    """Writes features to a file, one text at a time; the file is whole or absent.

    `.jsonl`: a line for each text as google-research/bert `extract_features.py` writes it, see
    below; values are rounded to six places.

    `.npz`: for text i the arrays `layers_i` [chosen layers, S, D], `tokens_i` [S] and `offsets_i`
    [S, 2]; `layers` [chosen layers] names the layers, `num_texts` is the number of texts.

    `.parquet`: a row for each text, columns `tokens`, `starts`, `ends` and for every layer
    `layer_-1` and so on, a list of S lists of D floats.

    Args:
        path: where to write; its ending says how.
        features: one for each text.
        layers: the chosen layers as the user named them.
        hidden_size: D.

    Raises:
        InputError: the ending is unknown.

    Example:
        >>> import tempfile
        >>> one = TokenFeatures(["[CLS]"], [(0, 0)], np.ones((1, 1, 2), dtype=np.float32))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "features.jsonl")
        ...     write_features(path, [one], (-1,), hidden_size=2)
        ...     json.loads(path.read_text())["features"]
        [{'token': '[CLS]', 'layers': [{'index': -1, 'values': [1.0, 1.0]}]}]
    """
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        known = ", ".join(_WRITERS)
        raise InputError("is of an unknown kind", where=path, fix=f"give a file named {known}")
    with atomic_file(path) as temporary:
        writer(temporary, features, layers, hidden_size)


def _write_jsonl(
    path: Path, features: Iterable[TokenFeatures], layers: tuple[int, ...], _: int
) -> None:
    with path.open("w", encoding="utf-8") as file:
        for index, one in enumerate(features):
            # Rounded as Python floats: rounded as float32, they would print with 17 digits.
            values = np.round(one.layers.astype(np.float64), 6).tolist()
            tokens = [
                {
                    "token": token,
                    "layers": [
                        {"index": layer, "values": values[place][position]}
                        for place, layer in enumerate(layers)
                    ],
                }
                for position, token in enumerate(one.tokens)
            ]
            line = {"linex_index": index, "features": tokens}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _write_npz(
    path: Path, features: Iterable[TokenFeatures], layers: tuple[int, ...], _: int
) -> None:
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:

        def add(name: str, array: NDArray[np.generic]) -> None:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)

        num_texts = 0
        for index, one in enumerate(features):
            add(f"layers_{index}", one.layers)
            add(f"tokens_{index}", np.array(one.tokens, dtype=np.str_))
            add(f"offsets_{index}", np.array(one.offsets, dtype=np.int64))
            num_texts += 1
        add("layers", np.array(layers, dtype=np.int64))
        add("num_texts", np.array(num_texts, dtype=np.int64))


def _write_parquet(
    path: Path, features: Iterable[TokenFeatures], layers: tuple[int, ...], hidden_size: int
) -> None:
    vector = pa.list_(pa.float32(), hidden_size)
    schema = pa.schema(
        [
            ("tokens", pa.list_(pa.string())),
            ("starts", pa.list_(pa.int32())),
            ("ends", pa.list_(pa.int32())),
            *((f"layer_{layer}", pa.list_(vector)) for layer in layers),
        ]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for one in features:
            num_tokens = len(one.tokens)
            bounds = pa.array([0, num_tokens], pa.int32())
            columns = [
                pa.array([one.tokens], schema.field("tokens").type),
                pa.array([[start for start, _ in one.offsets]], schema.field("starts").type),
                pa.array([[end for _, end in one.offsets]], schema.field("ends").type),
            ]
            for values in one.layers:
                flat = pa.array(values.ravel(), pa.float32())
                vectors = pa.FixedSizeListArray.from_arrays(flat, hidden_size)
                columns.append(pa.ListArray.from_arrays(bounds, vectors))
            writer.write_batch(pa.record_batch(columns, schema=schema))


_WRITERS: dict[str, Callable[[Path, Iterable[TokenFeatures], tuple[int, ...], int], None]] = {
    ".jsonl": _write_jsonl,
    ".npz": _write_npz,
    ".parquet": _write_parquet,
}
