"""Records statistics of google-research/bert's own examples on a synthetic corpus.

    PYTHONPATH=tests python tests/golden/examples/record.py CHECKOUT

CHECKOUT is a folder with `create_pretraining_data.py` of google-research/bert. TensorFlow isn't
needed: the functions that make examples don't use it.
"""

import hashlib
import importlib.util
import json
import random
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np

from google_statistics import (
    CASES,
    MASKED_LM_PROB,
    MAX_PREDICTIONS,
    NUM_PASSES,
    WHOLE_WORD_CASES,
    Statistics,
    mask_statistics,
    sentence_lengths,
    word_starts,
    word_statistics,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SEED = 12345


def load_reference(path):
    """Imports Google's script with stand-ins for the two modules that only its `main` uses."""
    tensorflow = ModuleType("tensorflow")

    def ignore(*arguments):
        return None

    flags = SimpleNamespace(
        FLAGS=SimpleNamespace(do_whole_word_mask=False),
        DEFINE_string=ignore,
        DEFINE_bool=ignore,
        DEFINE_integer=ignore,
        DEFINE_float=ignore,
    )
    tensorflow.flags = flags
    sys.modules["tensorflow"] = tensorflow
    sys.modules["tokenization"] = ModuleType("tokenization")
    spec = importlib.util.spec_from_file_location("create_pretraining_data", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(reference, case, lengths):
    """Statistics of NUM_PASSES passes of the reference, and its predictions per length."""
    whole_words = case in WHOLE_WORD_CASES
    reference.FLAGS.do_whole_word_mask = whole_words
    starts_word = np.ones(sum(map(sum, lengths)), dtype=bool)
    if whole_words:
        starts_word = np.array(word_starts(lengths))
    tokens = [f"{'' if start else '##'}t{i}" for i, start in enumerate(starts_word)]
    documents, number = [], 0
    for document in lengths:
        documents.append([])
        for length in document:
            documents[-1].append(tokens[number : number + length])
            number += length
    vocabulary = SPECIAL + tokens
    ids = {token: index for index, token in enumerate(vocabulary)}
    statistics, num_predictions = Statistics(lengths), {}
    rng = random.Random(SEED)
    for _ in range(NUM_PASSES):
        spans, masks = [], []
        originals, cu_seqlens, masked_positions = [], [0], []
        for index in range(len(documents)):
            for instance in reference.create_instances_from_document(
                documents,
                index,
                **CASES[case],
                masked_lm_prob=MASKED_LM_PROB,
                max_predictions_per_seq=MAX_PREDICTIONS[case],
                vocab_words=vocabulary,
                rng=rng,
            ):
                shown = [ids[token] for token in instance.tokens]
                original = list(shown)
                for position, label in zip(
                    instance.masked_lm_positions, instance.masked_lm_labels, strict=True
                ):
                    original[position] = ids[label]
                    masks.append((len(shown), position, ids[label], shown[position]))
                masked_positions += [len(originals) + p for p in instance.masked_lm_positions]
                originals += original
                cu_seqlens.append(len(originals))
                a_length = instance.segment_ids.count(0) - 2
                b_length = instance.segment_ids.count(1) - 1
                starts = original[1] - 5, original[a_length + 2] - 5
                label = int(instance.is_random_next)
                spans.append((starts[0], a_length, starts[1], b_length, label))
                seen = num_predictions.setdefault(len(shown), set())
                seen.add(len(instance.masked_lm_positions))
        masked = mask_statistics(*zip(*masks, strict=True), SPECIAL.index("[MASK]"), len(ids))
        if whole_words:
            masked.update(
                word_statistics(np.array(originals), cu_seqlens, masked_positions, starts_word)
            )
        statistics.add_pass(*zip(*spans, strict=True), masked)
    exact = {}
    for length, seen in sorted(num_predictions.items()):
        if not whole_words:
            (exact[length],) = seen
    pairs = {
        key: [statistics.sums[key], statistics.squares[key]] for key in sorted(statistics.sums)
    }
    return {"num_predictions": exact, "statistics": pairs}


def main():
    path = Path(sys.argv[1]) / "create_pretraining_data.py"
    lengths = sentence_lengths()
    golden = {
        "reference": "google-research/bert create_pretraining_data.py",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "seed": SEED,
        "num_passes": NUM_PASSES,
        "cases": {case: record(load_reference(path), case, lengths) for case in CASES},
    }
    text = json.dumps(golden, separators=(",", ":"))
    Path(__file__).with_name("google_pairs.json").write_text(text.replace('],"', '],\n"') + "\n")


if __name__ == "__main__":
    main()
