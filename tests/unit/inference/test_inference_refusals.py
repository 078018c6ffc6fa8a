"""What the pipelines refuse, in one line."""

import json

import pytest

from bertsmith.errors import BertsmithError, InputError, ModelError
from bertsmith.inference import pipeline
from bertsmith.model import BertConfig, BertModel

HEADS = {
    "BertModel": {"embed"},
    "BertForPreTraining": {"embed", "fill-mask", "score", "next-sentence"},
    "BertForMaskedLM": {"embed", "fill-mask", "score"},
    "BertForSequenceClassification": {"embed", "classify"},
    "BertForTokenClassification": {"embed", "tag"},
    "BertForQuestionAnswering": {"embed", "answer"},
    "BertForMultipleChoice": {"embed"},
}
# Heads whose weights have the same names: without `architectures`, nothing tells them apart.
SAME_NAMES = {
    "BertForSequenceClassification": {"tag"},
    "BertForMultipleChoice": {"tag", "classify"},
}
TASKS = ["answer", "classify", "embed", "fill-mask", "next-sentence", "score", "tag"]


def refusal(kind, call, *arguments, **options):
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("named", [True, False])
def test_a_folder_without_the_right_head(save, head, named):
    folder = save(head)
    if not named:
        config = json.loads((folder / "config.json").read_text())
        del config["architectures"]
        (folder / "config.json").write_text(json.dumps(config))
    for task in TASKS:
        if task in HEADS[head]:
            pipeline(task, folder)
            continue
        if not named and task in SAME_NAMES.get(head, ()):
            continue
        message = refusal(ModelError, pipeline, task, folder)
        assert str(folder) in message
        assert (head in message) == named
        assert "give a folder of BertFor" in message


@pytest.mark.parametrize("task", ["fill-mask", "score"])
def test_a_model_that_reads_from_left_to_right(save, task):
    """At a place it says what comes next: what it says of [MASK] would be of the token behind."""
    folder = save("BertForMaskedLM", attention="causal")
    assert "reads from left to right" in refusal(ModelError, pipeline, task, folder)
    pipeline("embed", folder)


def test_a_head_that_is_named_but_absent(save):
    folder = save("BertModel")
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["BertForMaskedLM"]
    (folder / "config.json").write_text(json.dumps(config))
    message = refusal(ModelError, pipeline, "fill-mask", folder)
    assert "without cls.predictions" in message


def test_the_pooler_strategy_needs_a_pooler(save):
    folder = save("BertForMaskedLM")
    pipeline("embed", folder)
    assert "without pooler.dense" in refusal(
        ModelError, pipeline, "embed", folder, strategy="pooler"
    )


def test_vocabulary_and_model_of_other_sizes(save, tokenizer, tmp_path):
    config = BertConfig.of_size("tiny", vocab_size=7)
    BertModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    size = len(tokenizer.vocabulary)
    assert f"{size} tokens" in refusal(BertsmithError, pipeline, "embed", tmp_path)
    (tmp_path / "vocab.txt").unlink()
    assert f"{size} tokens, its model 7" in refusal(ModelError, pipeline, "embed", tmp_path)


def test_wrong_tasks_and_options(save, tmp_path):
    folder = save("BertForMaskedLM")
    assert "no task 'fill'; use answer" in refusal(InputError, pipeline, "fill", folder)
    assert "fill-mask has no option 'topk'; use top_k" in refusal(
        InputError, pipeline, "fill-mask", folder, topk=3
    )
    assert "top_k: is 0" in refusal(InputError, pipeline, "fill-mask", folder, top_k=0)
    assert "strategy: is 'max'" in refusal(InputError, pipeline, "embed", folder, strategy="max")
    for device in ("gpu0", "cuda:99"):
        assert f"device {device}" in refusal(InputError, pipeline, "embed", folder, device=device)
    assert "no such folder" in refusal(ModelError, pipeline, "embed", tmp_path / "none")
    qa = save("BertForQuestionAnswering")
    assert "stride: is 0" in refusal(InputError, pipeline, "answer", qa, stride=0)


@pytest.mark.parametrize("blank", ["", "  \n", "\x07\x08"])
def test_blank_text(save, blank):
    fill = pipeline("fill-mask", save("BertForMaskedLM"))
    score = pipeline("score", save("BertForMaskedLM"))
    tag = pipeline("tag", save("BertForTokenClassification"))
    answer = pipeline("answer", save("BertForQuestionAnswering"))
    classify = pipeline("classify", save("BertForSequenceClassification"))
    for call in (fill, score, tag, classify):
        assert "text: " in refusal(InputError, call, blank)
        assert "text 2 of 2: " in refusal(InputError, call, ["[MASK]", blank])
    assert "context: " in refusal(InputError, answer, "who?", blank)
    if not blank.strip():
        assert "question: is empty" in refusal(InputError, answer, blank, "ann")
        assert "words 2 of 2" in refusal(InputError, tag, words=[["a"], ["b", blank]])
    assert "text_pair: " in refusal(InputError, classify, "a", blank)


def test_text_that_is_too_long(save):
    fill = pipeline("fill-mask", save("BertForMaskedLM"))
    text = "[MASK] " + "city " * 50
    message = "text: has 53 tokens, and the model takes 40; shorten it, or set truncate"
    assert refusal(InputError, fill, text) == message
    cut = pipeline("fill-mask", save("BertForMaskedLM"), truncate=True)
    assert cut(text)[0]["sequence"].endswith("city " * 50)
    assert [x["token"] for x in cut(text)] == [x["token"] for x in cut("[MASK] " + "city " * 37)]
    assert "has no [MASK]" in refusal(InputError, cut, "city " * 50 + "[MASK]")
    # Where windows make sense, nothing is too long.
    assert pipeline("answer", save("BertForQuestionAnswering"))("who?", text * 5)
    pipeline("tag", save("BertForTokenClassification"))(text * 5)


def test_other_wrong_inputs(save):
    fill = pipeline("fill-mask", save("BertForMaskedLM"))
    assert refusal(InputError, fill, "no mask").startswith("text: has no [MASK]; write")
    assert refusal(InputError, fill, ["[MASK]", 7]).startswith("text 2 of 2: is int, no string")
    tag = pipeline("tag", save("BertForTokenClassification"))
    assert "text or words" in refusal(InputError, tag)
    assert "text or words" in refusal(InputError, tag, "a", words=["a"])
    assert "words: has no words" in refusal(InputError, tag, words=[])
    classify = pipeline("classify", save("BertForSequenceClassification"))
    assert "text_pair: 1 for 2 of text" in refusal(InputError, classify, ["a", "b"], ["c"])
    answer = pipeline("answer", save("BertForQuestionAnswering"))
    assert "question: 2 for 1 of context" in refusal(InputError, answer, ["a", "b"], ["c"])
    one_segment = save("BertForSequenceClassification", type_vocab_size=1)
    assert "type_vocab_size 1" in refusal(ModelError, pipeline("classify", one_segment), "a", "b")
