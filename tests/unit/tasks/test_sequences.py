import pytest

from bertsmith.errors import DataError
from bertsmith.tasks import get_task
from bertsmith.tasks.families.classification import ClassPrediction
from bertsmith.tasks.families.sequences import SequenceExample
from task_data import tiny_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def example(first, second=None, label="1"):
    return SequenceExample(first, second, label, "a.tsv:5")


def tokens(feature, tokenizer):
    return " ".join(tokenizer.vocabulary.tokens[i] for i in feature.input_ids)


def test_singles_and_pairs(tokenizer):
    single, pair = example("the cat"), example("the cat", "a dog", "0")
    one, two = get_task("sst2").encode(
        [single, pair], tokenizer, labels=("0", "1"), max_seq_length=32
    )
    assert tokens(one, tokenizer) == "[CLS] the cat [SEP]"
    assert (one.token_type_ids, one.label) == ([0, 0, 0, 0], 1)
    assert tokens(two, tokenizer) == "[CLS] the cat [SEP] a dog [SEP]"
    assert (two.token_type_ids, two.label) == ([0, 0, 0, 0, 1, 1, 1], 0)


def test_the_longer_text_of_a_pair_is_cut(tokenizer):
    pair = example("the red cat sees the bird", "a dog")
    (feature,) = get_task("rte").encode(
        [example(pair.first, pair.second, None)], tokenizer, labels=("x", "y"), max_seq_length=8
    )
    assert tokens(feature, tokenizer) == "[CLS] the red cat [SEP] a dog [SEP]"


def test_encoding_equals_the_tokenizers(tokenizer):
    texts = ["", "the", "the red cat sees the birds", "a dog. who? " * 5]
    pairs = [(a, b) for a in texts for b in [None, *texts]]
    features = get_task("mrpc").encode(
        [example(a, b) for a, b in pairs], tokenizer, labels=("0", "1"), max_seq_length=9
    )
    for feature, (a, b) in zip(features, pairs, strict=True):
        encoding = tokenizer.encode(a, b, max_length=9)
        assert feature.input_ids == encoding.input_ids
        assert feature.token_type_ids == encoding.token_type_ids


def test_a_label_outside_the_set_names_line_and_set(tokenizer):
    with pytest.raises(DataError, match=r"a\.tsv:5: label '7' is not one of 0, 1; correct"):
        get_task("classify").encode(
            [example("the", None, "7")], tokenizer, labels=("0", "1"), max_seq_length=8
        )


def test_regression_takes_numbers_as_they_are(tokenizer):
    task = get_task("stsb")
    features = task.encode(
        [example("a", "a", "4.750"), example("a", "the", "-1e0")],
        tokenizer,
        labels=("score",),
        max_seq_length=8,
    )
    assert task.collate(features).labels.tolist() == [4.75, -1.0]


def classified(*labels):
    return [ClassPrediction(label, (0.5, 0.5)) for label in labels]


def test_glue_scores():
    examples = [example("a", label=label) for label in "11100"]
    found = classified("1", "1", "0", "1", "0")
    assert get_task("sst2").score(examples, found) == {"accuracy": 0.6}
    scores = get_task("mrpc").score(examples, found)
    assert (scores["accuracy"], scores["f1"]) == (0.6, pytest.approx(2 / 3))
    scores = get_task("cola").score(examples, found)
    assert scores["matthews_correlation"] == pytest.approx(1 / 6)
    scores = get_task("stsb").score(examples, [5.0, 4.0, 3.0, 2.0, 1.0])
    assert set(scores) == {"pearson_correlation", "spearman_correlation"}
