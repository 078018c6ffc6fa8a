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

from google_statistics import (
    CASES,
    MASKED_LM_PROB,
    MAX_PREDICTIONS,
    NUM_PASSES,
    Statistics,
    mask_statistics,
    sentence_lengths,
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
    documents, number = [], 0
    for document in lengths:
        documents.append([])
        for length in document:
            documents[-1].append([f"t{i}" for i in range(number, number + length)])
            number += length
    vocabulary = SPECIAL + [f"t{i}" for i in range(number)]
    ids = {token: index for index, token in enumerate(vocabulary)}
    statistics, num_predictions = Statistics(lengths), {}
    rng = random.Random(SEED)
    for _ in range(NUM_PASSES):
        spans, masks = [], []
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
                a_length = instance.segment_ids.count(0) - 2
                b_length = instance.segment_ids.count(1) - 1
                starts = original[1] - 5, original[a_length + 2] - 5
                label = int(instance.is_random_next)
                spans.append((starts[0], a_length, starts[1], b_length, label))
                seen = num_predictions.setdefault(len(shown), set())
                seen.add(len(instance.masked_lm_positions))
        masked = mask_statistics(*zip(*masks, strict=True), SPECIAL.index("[MASK]"), len(ids))
        statistics.add_pass(*zip(*spans, strict=True), masked)
    exact = {}
    for length, seen in sorted(num_predictions.items()):
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
