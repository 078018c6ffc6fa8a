"""The real files, where `BERTSMITH_DATA` says they are: counts, labels and answers."""

import os
from collections import Counter
from pathlib import Path

import pytest

from bertsmith.inference.entities import decode_tags
from bertsmith.tasks import get_task
from bertsmith.wordpiece import Tokenizer

pytestmark = pytest.mark.slow

COUNTS = [
    ("cola", "glue/CoLA", {"train": 8551, "dev": 1043, "test": 1063}),
    ("sst2", "glue/SST-2", {"train": 67349, "dev": 872, "test": 1821}),
    ("mrpc", "glue/MRPC", {"train": 3667, "dev": 408, "test": 1725}),
    ("stsb", "glue/STS-B", {"train": 5749, "dev": 1500, "test": 1379}),
    ("rte", "glue/RTE", {"train": 2490, "dev": 277, "test": 3000}),
    ("wnli", "glue/WNLI", {"train": 635, "dev": 71, "test": 146}),
    ("qnli", "glue/QNLI", {"dev": 5463, "test": 5463}),
    ("ner", "conll2003", {"train": 14041, "dev": 3250, "test": 3453}),
    ("tag", "ner_zh_resume", {"train": 3821, "dev": 463, "test": 477}),
    ("classify", "chnsenticorp", {"train": 9600, "dev": 1200, "test": 1200}),
    ("swag", "codah", {"train": 2498, "dev": 278}),
    ("choose", "codah/full_data.tsv", {"all": 2776}),
    ("squad", "squad/squad11-dev.json", {"all": 10570}),
    ("squad", "squad", {"train": 4371, "dev": 10570}),
    ("squad2", "squad", {"train": 4719}),
    ("squad", "squad/new_wiki_v1.0.json", {"all": 7938}),
    ("squad", "squad/reddit_v1.0.json", {"all": 9803}),
    ("squad", "squad/amazon_reviews_v1.0.json", {"all": 9885}),
]


@pytest.fixture(scope="module")
def data():
    folder = os.environ.get("BERTSMITH_DATA")
    if not folder:
        pytest.skip("BERTSMITH_DATA doesn't say where the real data are")
    return Path(folder)


@pytest.mark.parametrize(("name", "path", "counts"), COUNTS)
def test_counts(data, name, path, counts):
    task = get_task(name)
    found = {s: len(task.read(data / "finetune" / path, s).examples) for s in counts}
    assert found == counts


@pytest.mark.parametrize(("name", "path", "counts"), COUNTS)
def test_everything_can_be_encoded(data, name, path, counts):
    """Every label is in the label set, and labels cover what was read."""
    task = get_task(name)
    is_chinese = path in ("ner_zh_resume", "chnsenticorp")
    vocabulary = "google_zh_vocab.txt" if is_chinese else "google_uncased_en_vocab.txt"
    tokenizer = Tokenizer(data / "vocab" / vocabulary)
    train = task.read(data / "finetune" / path, next(iter(counts))).examples
    labels = task.labels(train)
    for split in counts:
        examples = task.read(data / "finetune" / path, split).examples[:3000]
        features = task.encode(
            examples, tokenizer, labels=labels, max_seq_length=task.max_seq_length
        )
        assert {feature.example_index for feature in features} == set(range(len(examples)))
        if split not in ("test",):
            assert len(task.trainable(features)) == len(features)
            assert task.collate(features[:8]).num_tokens > 0


def test_conll_has_its_published_entities(data):
    task = get_task("ner")
    published = {
        "train": {"LOC": 7140, "MISC": 3438, "ORG": 6321, "PER": 6600},
        "dev": {"LOC": 1837, "MISC": 922, "ORG": 1341, "PER": 1842},
        "test": {"LOC": 1668, "MISC": 702, "ORG": 1661, "PER": 1617},
    }
    for split, expected in published.items():
        examples = task.read(data / "finetune/conll2003", split).examples
        found = Counter(entity.label for e in examples for entity in decode_tags(e.tags, "IOB2"))
        assert found == expected


def test_squad_labels_are_the_answers(data):
    """The labelled tokens, read back from the context, are the answer's text."""
    task = get_task("squad")
    tokenizer = Tokenizer(data / "vocab/google_uncased_en_vocab.txt")
    examples = task.read(data / "finetune/squad/squad11-dev.json", "all").examples[::4]
    features = task.encode(examples, tokenizer, labels=(), max_seq_length=384)
    num_exact, num_held = 0, set()
    for feature in features:
        first, last = feature.label
        if (first, last) == (0, 0):
            continue
        num_held.add(feature.example_index)
        example = examples[feature.example_index]
        offsets, start = feature.window.offsets, feature.window.context_start
        span = example.context[offsets[first - start][0] : offsets[last - start][1]]
        assert example.answers[0].text.strip() in span
        num_exact += span == example.answers[0].text.strip()
    assert len(num_held) / len(examples) > 0.999
    assert num_exact / len(features) > 0.9
