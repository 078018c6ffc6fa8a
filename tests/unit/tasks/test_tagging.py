import pytest

from bertsmith.errors import DataError
from bertsmith.objectives.token_labels import IGNORED
from bertsmith.tasks import get_task
from bertsmith.tasks.data.tagged import TaggedSentence
from task_data import tiny_tokenizer

TASK = get_task("ner")
LABELS = ("O", "B-X", "I-X")


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def encode(words, tags, tokenizer, max_seq_length=32):
    sentence = TaggedSentence(words, tags, "a.txt:7", 7)
    return TASK.encode([sentence], tokenizer, labels=LABELS, max_seq_length=max_seq_length)


def test_the_first_piece_carries_the_label(tokenizer):
    (feature,) = encode(["the", "cats", "sees"], ["O", "B-X", "I-X"], tokenizer)
    pieces = [tokenizer.vocabulary.tokens[i] for i in feature.input_ids]
    assert pieces == ["[CLS]", "the", "cat", "##s", "sees", "[SEP]"]
    assert feature.labels == [IGNORED, 0, 1, IGNORED, 2, IGNORED]


@pytest.mark.parametrize("max_seq_length", [3, 4, 7, 12])
def test_every_word_is_labelled_once_however_many_windows(tokenizer, max_seq_length):
    words = ["the", "cats", "birding", "on", "trees", "?"] * 3
    tags = ["O", "B-X", "I-X"] * 6
    features = encode(words, tags, tokenizer, max_seq_length)
    assert len(features) > 1
    seen = {}
    for feature in features:
        assert feature.num_tokens <= max_seq_length
        places = [i for i, label in enumerate(feature.labels) if label != IGNORED]
        assert places == feature.window.first_piece_positions
        for word, place in zip(feature.window.word_ids, places, strict=True):
            assert word not in seen
            seen[word] = feature.labels[place]
    assert [LABELS[seen[word]] for word in range(len(words))] == tags


def test_a_strange_tag_names_its_own_line(tokenizer):
    with pytest.raises(DataError, match=r"a\.txt:9: label 'B-Y' is not one of O, B-X, I-X"):
        encode(["the", "cat", "sees"], ["O", "O", "B-Y"], tokenizer)


def test_words_without_any_piece_keep_their_place(tokenizer):
    (feature,) = encode(["the", "\u3000", "cat"], ["O", "O", "B-X"], tokenizer)
    assert feature.labels == [IGNORED, 0, 0, 1, IGNORED]


def sentence(*tags):
    return TaggedSentence(["w"] * len(tags), list(tags), "a.txt:1")


def test_scores_are_by_entity():
    scores = TASK.score(
        [sentence("B-X", "I-X", "O", "B-Y"), sentence("O", "B-Y")],
        [["B-X", "O", "O", "B-Y"], ["B-Y", "B-Y"]],
    )
    assert scores["precision"] == pytest.approx(2 / 4)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["f1"] == pytest.approx(4 / 7)
    assert scores["accuracy"] == pytest.approx(4 / 6)


def test_entities_may_begin_with_an_inside_tag():
    # As conlleval has it: "O I-X" begins an entity.
    assert TASK.score([sentence("O", "B-X", "I-X")], [["O", "I-X", "I-X"]])["f1"] == 1.0


def test_bmes_tags():
    wanted = [sentence("B-X", "M-X", "E-X", "S-Y")]
    assert TASK.score(wanted, [["B-X", "M-X", "E-X", "S-Y"]])["f1"] == 1.0
    assert TASK.score(wanted, [["B-X", "E-X", "S-X", "S-Y"]])["f1"] == pytest.approx(2 / 5)


def test_tags_without_a_scheme_are_scored_word_by_word():
    scores = TASK.score([sentence("DT", "NN", "VB")], [["DT", "NN", "NN"]])
    assert scores["f1"] == pytest.approx(2 / 3)
    assert scores["accuracy"] == pytest.approx(2 / 3)
