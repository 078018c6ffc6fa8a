"""The pipelines against `transformers` on the same random weights."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import transformers

from bertsmith.errors import InputError
from bertsmith.inference import TASKS, pipeline, tag_windows
from bertsmith.wordpiece import Tokenizer

TEXTS = ["Paris is the [MASK] of France.", "[MASK]", "Ann met [MASK] in Rome, 東京!"]
PLAIN = ["Paris is the capital of France.", "a", "Ann met Bob in Rome, 東京!", "the city"]
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def theirs(task, folder, **options):
    return transformers.pipeline(task, model=str(folder), device="cpu", **options)


@pytest.mark.parametrize("name", ["BertForMaskedLM", "BertForPreTraining"])
def test_fill_mask(save, name):
    folder = save(name)
    fill = pipeline("fill-mask", folder, top_k=7)
    wanted = theirs("fill-mask", folder, top_k=7)(TEXTS)
    for ours, reference in zip(fill(TEXTS), wanted, strict=True):
        assert [one["token"] for one in ours] == [one["token"] for one in reference]
        assert [one["score"] for one in ours] == pytest.approx(
            [one["score"] for one in reference], abs=1e-5
        )
        assert ours[0].keys() == reference[0].keys()
        tokens = [one["token_str"] for one in ours]
        assert [token.replace(" ", "") for token in tokens] == [
            one["token_str"].replace(" ", "") for one in reference
        ]


def test_fill_mask_sequence_is_the_text_as_given(save, tokenizer):
    fill = pipeline("fill-mask", save("BertForMaskedLM"), top_k=len(tokenizer.vocabulary))
    by_token = {one["token_str"]: one["sequence"] for one in fill("Ann  walks [MASK], É!")}
    assert by_token["city"] == "Ann  walks city, É!"
    assert by_token["##ing"] == "Ann  walksing, É!"
    assert by_token["[MASK]"] == "Ann  walks [MASK], É!"


def test_fill_several_masks(save):
    folder = save("BertForMaskedLM")
    text = "the [MASK] of [MASK]"
    ours = pipeline("fill-mask", folder, top_k=3)(text)
    wanted = theirs("fill-mask", folder, top_k=3)(text)
    assert [[x["token"] for x in one] for one in ours] == [
        [x["token"] for x in one] for one in wanted
    ]
    assert [x["score"] for x in ours[1]] == pytest.approx([x["score"] for x in wanted[1]], abs=1e-5)
    assert ours[1][0]["sequence"] == f"the [MASK] of {ours[1][0]['token_str']}".replace(" ##", "")


@pytest.mark.parametrize("problem_type", [None, "multi_label_classification"])
def test_classify(save, problem_type):
    labels = ("no", "maybe", "yes")
    folder = save("BertForSequenceClassification", labels=labels, problem_type=problem_type)
    classify = pipeline("classify", folder)
    wanted = theirs("text-classification", folder, top_k=None)
    for text, ours in zip(PLAIN, classify(PLAIN), strict=True):
        same(ours, wanted([text])[0])
    pairs = PLAIN[::-1]
    for text, pair, ours in zip(PLAIN, pairs, classify(PLAIN, pairs), strict=True):
        same(ours, wanted([{"text": text, "text_pair": pair}])[0])
    same(classify(PLAIN[0], PLAIN[1]), classify([PLAIN[0]], [PLAIN[1]])[0])


def same(ours, reference):
    assert [one["label"] for one in ours] == [one["label"] for one in reference]
    assert [one["score"] for one in ours] == pytest.approx(
        [one["score"] for one in reference], abs=1e-5
    )


def test_regression_gives_the_number(save):
    folder = save("BertForSequenceClassification", labels=("score",), problem_type="regression")
    ours = pipeline("classify", folder)(PLAIN[0])
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    wanted = model(**as_tensors(folder, PLAIN[0])).logits.item()
    assert ours == {"score": pytest.approx(wanted, abs=1e-5)}


def as_tensors(folder, text, pair=None):
    """Padless model inputs; the tokenizer is proved equal elsewhere."""
    encoding = Tokenizer.from_pretrained(folder).encode(text, pair)
    return {
        "input_ids": torch.tensor([encoding.input_ids]),
        "token_type_ids": torch.tensor([encoding.token_type_ids]),
    }


@pytest.mark.parametrize("seed", range(4))
def test_tag(save, seed):
    folder = save("BertForTokenClassification", seed=seed, labels=TAGS)
    texts = ["ann met bob in rome", "paris is the capital of france", "xqz the lying city"]
    reference = theirs("token-classification", folder, aggregation_strategy="first")
    found = pipeline("tag", folder)(texts)
    assert any(found)
    for text, ours in zip(texts, found, strict=True):
        wanted = reference(text)
        assert [(e["label"], e["start"], e["end"]) for e in ours] == [
            (e["entity_group"], e["start"], e["end"]) for e in wanted
        ]
        assert [e["score"] for e in ours] == pytest.approx([e["score"] for e in wanted], abs=1e-5)
        assert [e["text"] for e in ours] == [text[e["start"] : e["end"]] for e in wanted]


def test_tag_words_and_text_agree(save):
    tag = pipeline("tag", save("BertForTokenClassification", seed=1, labels=TAGS))
    words = ["Ann", "'", "s", "É", "東", "京", ",", "is", "in", "rome"]
    by_words = tag(words=words)
    by_text = tag("Ann's  É 東京, is in rome")
    assert [e["first_word"] for e in by_words] == [e["first_word"] for e in by_text] != []
    assert [e["last_word"] for e in by_words] == [e["last_word"] for e in by_text]
    joined = " ".join(words)
    for entity in by_words:
        wanted = " ".join(words[entity["first_word"] : entity["last_word"] + 1])
        assert joined[entity["start"] : entity["end"]] == entity["text"] == wanted
    assert tag(words=[words, words[:2]])[0] == by_words


def test_tag_reads_text_of_any_length(save, tokenizer):
    folder = save("BertForTokenClassification", seed=2, labels=TAGS)
    words = ["city", "xqz", "ann", "rome", "東", "lying"] * 30
    tag = pipeline("tag", folder)
    (ours,) = tag.word_tags([tokenizer.word_pieces(words)])
    model = transformers.AutoModelForTokenClassification.from_pretrained(folder)
    wanted = {}
    for window in tag_windows(words, tokenizer, max_seq_length=40):
        with torch.no_grad():
            probabilities = model(torch.tensor([window.input_ids])).logits[0].softmax(-1)
        for word, place in zip(window.word_ids, window.first_piece_positions, strict=True):
            score, label = probabilities[place].max(-1)
            wanted[word] = (TAGS[label], score.item())
    assert [name for name, _ in ours] == [wanted[word][0] for word in range(len(words))]
    assert [score for _, score in ours] == pytest.approx(
        [wanted[word][1] for word in range(len(words))], abs=1e-5
    )
    assert len({name for name, _ in ours}) > 1


def test_next_sentence(save):
    folder = save("BertForPreTraining")
    rate = pipeline("next-sentence", folder)
    model = transformers.AutoModelForNextSentencePrediction.from_pretrained(folder)
    for first, second in [PLAIN[:2], PLAIN[2:]]:
        with torch.no_grad():
            logits = model(**as_tensors(folder, first, second)).logits[0]
        wanted = logits.softmax(-1).tolist()
        ours = rate(first, second)
        assert [ours["is_next"], ours["is_random"]] == pytest.approx(wanted, abs=1e-5)
    assert len(rate(PLAIN, PLAIN)) == 4


@pytest.mark.parametrize("strategy", ["mean", "cls", "pooler"])
def test_embed(save, strategy):
    folder = save("BertModel")
    embed = pipeline("embed", folder, strategy=strategy)
    vectors = embed(PLAIN)
    model = transformers.AutoModel.from_pretrained(folder)
    for text, ours in zip(PLAIN, vectors, strict=True):
        with torch.no_grad():
            output = model(**as_tensors(folder, text))
        states = output.last_hidden_state[0]
        wanted = {"mean": states.mean(0), "cls": states[0], "pooler": output.pooler_output[0]}
        assert np.abs(ours - wanted[strategy].numpy()).max() < 1e-5
    assert embed(PLAIN[0]).shape == (32,)
    assert embed([]).shape == (0, 32)


def test_features_are_the_hidden_states(save):
    folder = save("BertForMaskedLM")
    layers = (-1, 0, 2, -3)
    found = pipeline("embed", folder).features(PLAIN, layers)
    model = transformers.AutoModel.from_pretrained(folder)
    for text, ours in zip(PLAIN, found, strict=True):
        with torch.no_grad():
            output = model(**as_tensors(folder, text), output_hidden_states=True)
        wanted = torch.stack([output.hidden_states[layer][0] for layer in layers]).numpy()
        assert ours.layers.shape == wanted.shape
        assert np.abs(ours.layers - wanted).max() < 1e-5
        assert len(ours.tokens) == len(ours.offsets) == wanted.shape[1]


def test_feature_files(save, tmp_path):
    embed = pipeline("embed", save("BertModel"))
    features = embed.features(PLAIN, (-1, -2))
    for name in ("out.jsonl", "out.npz", "out.parquet"):
        embed.write_features(tmp_path / "new" / name, PLAIN, (-1, -2))
    lines = (tmp_path / "new" / "out.jsonl").read_text("utf-8").splitlines()
    table = pq.read_table(tmp_path / "new" / "out.parquet").to_pylist()
    with np.load(tmp_path / "new" / "out.npz") as archive:
        arrays = dict(archive)
    assert arrays["num_texts"] == len(lines) == len(table) == len(PLAIN)
    assert arrays["layers"].tolist() == [-1, -2]
    for index, one in enumerate(features):
        record = json.loads(lines[index])
        assert record["linex_index"] == index
        assert [token["token"] for token in record["features"]] == one.tokens
        assert [[part["index"] for part in t["layers"]] for t in record["features"]] == [
            [-1, -2]
        ] * len(one.tokens)
        values = [[part["values"] for part in t["layers"]] for t in record["features"]]
        assert np.abs(np.array(values).transpose(1, 0, 2) - one.layers).max() < 1e-6
        assert np.array_equal(arrays[f"layers_{index}"], one.layers)
        assert arrays[f"tokens_{index}"].tolist() == one.tokens
        assert arrays[f"offsets_{index}"].tolist() == [list(pair) for pair in one.offsets]
        row = table[index]
        assert row["tokens"] == one.tokens
        assert list(zip(row["starts"], row["ends"], strict=True)) == one.offsets
        both = np.array([row["layer_-1"], row["layer_-2"]], dtype=np.float32)
        assert np.array_equal(both, one.layers)


def test_a_feature_file_that_fails_leaves_the_old_one(save, tmp_path):
    embed = pipeline("embed", save("BertModel"))
    path = tmp_path / "out.jsonl"
    path.write_text("old")
    with pytest.raises(InputError, match="text 2 of 2: is empty"):
        embed.write_features(path, ["a", ""])
    with pytest.raises(InputError, match=r"there is no layer 3; use 0 .embeddings. to 2"):
        embed.write_features(path, ["a"], [3])
    with pytest.raises(InputError, match=r"out.csv: is of an unknown kind"):
        embed.write_features(tmp_path / "out.csv", ["a"])
    assert path.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "out.jsonl"]


def test_score(save):
    folder = save("BertForMaskedLM")
    found = pipeline("score", folder, max_tokens_per_batch=64)(PLAIN)
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder)
    mask_id = Tokenizer.from_pretrained(folder).vocabulary.mask_id
    for text, ours in zip(PLAIN, found, strict=True):
        inputs = as_tensors(folder, text)
        ids = inputs["input_ids"][0]
        total = 0.0
        for position in range(1, len(ids) - 1):
            masked = ids.clone()
            masked[position] = mask_id
            with torch.no_grad():
                logits = model(input_ids=masked[None]).logits[0, position]
            total += logits.log_softmax(-1)[ids[position]].item()
        assert ours["num_tokens"] == len(ids) - 2
        assert ours["score"] == pytest.approx(total, abs=1e-4)
        assert ours["pseudo_perplexity"] == pytest.approx(math.exp(-total / (len(ids) - 2)))


def test_answer(save):
    folder = save("BertForQuestionAnswering")
    context = "Ann met Bob in Rome, the city of É. " * 8
    answer = pipeline("answer", folder, top_k=20, stride=7)
    found = answer("Who met Bob?", context)
    assert [one["score"] for one in found] == sorted((o["score"] for o in found), reverse=True)
    assert sum(one["score"] for one in found) == pytest.approx(1)
    assert all(one["answer"] == context[one["start"] : one["end"]] != "" for one in found)
    both = answer(["Where?", "Who met Bob?"], ["Rome", context])
    assert both[1][0]["answer"] == found[0]["answer"]
    assert both[1][0]["score"] == pytest.approx(found[0]["score"], abs=1e-5)


def test_answer_of_one_window_is_that_of_the_logits(save):
    folder = save("BertForQuestionAnswering")
    text = "ann met bob in rome the city of a"
    (ours,) = pipeline("answer", folder)("who met bob", text)
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder)
    with torch.no_grad():
        output = model(**as_tensors(folder, "who met bob", text))
    encoding = Tokenizer.from_pretrained(folder).encode("who met bob", text)
    places = [i for i, side in enumerate(encoding.sequence_index) if side == 1]
    sums = {
        (i, j): (output.start_logits[0, i] + output.end_logits[0, j]).item()
        for i in places
        for j in places
        if j >= i
    }
    first, last = max(sums, key=sums.__getitem__)
    assert ours["answer"] == text[encoding.offsets[first][0] : encoding.offsets[last][1]]


def test_no_answer_takes_its_place_in_the_ranking(save):
    folder = save("BertForQuestionAnswering")
    arguments = "Who met Bob?", "Ann met Bob in Rome."
    always = pipeline("answer", folder, top_k=99)(*arguments)
    assert all(one["answer"] for one in always)
    never = pipeline("answer", folder, null_threshold=-1e9)(*arguments)
    assert (never[0]["answer"], never[0]["start"], never[0]["end"]) == ("", 0, 0)
    last = pipeline("answer", folder, top_k=99, null_threshold=1e9)(*arguments)
    assert [one["answer"] for one in last] == [*(one["answer"] for one in always), ""]
    assert sum(one["score"] for one in last) == pytest.approx(1)


def test_features_default_to_the_last_four_layers(save):
    embed = pipeline("embed", save("BertModel"))
    assert np.array_equal(
        embed.features(["a"])[0].layers, embed.features(["a"], [-1, -2])[0].layers
    )


def test_every_task_has_a_pipeline():
    assert TASKS == ("answer", "classify", "embed", "fill-mask", "next-sentence", "score", "tag")
