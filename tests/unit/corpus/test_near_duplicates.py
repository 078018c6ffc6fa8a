"""Near-duplicates, against Jaccard similarity taken by brute force."""

import random
from collections import defaultdict

import numpy as np
import pytest

from bertsmith._parallel import Workers
from bertsmith.corpus import CleaningSettings, CorpusSettings, open_corpus
from bertsmith.corpus.duplicates import (
    NUM_SLOTS,
    Banding,
    find_near_duplicates,
    hash_shingles,
    hash_words,
    signatures,
)
from bertsmith.corpus.occurrences import Occurrences
from planted import changed, jaccard, shingles, words, write_jsonl


def families(rng, number):
    """Documents with one to three changed copies each, from hardly to half rewritten."""
    texts = []
    for _ in range(number):
        first = " ".join(words(rng, rng.randint(60, 250)))
        texts.append(first)
        for _ in range(rng.randint(1, 3)):
            texts.append(
                changed(rng, first, int(len(first.split()) * rng.choice([0.01, 0.03, 0.2])))
            )
    rng.shuffle(texts)
    return texts


@pytest.mark.parametrize("similarity", [0.6, 0.8, 0.9])
def test_precision_and_recall_against_brute_force(tmp_path, similarity):
    """0.1 above the threshold, 99 % are found; 0.1 below it, 1 % are dropped in error."""
    texts = families(random.Random(5), 300)
    cleaning = CleaningSettings(duplicates="near", near_duplicate_similarity=similarity)
    corpus = open_corpus(
        write_jsonl(tmp_path / "a.jsonl", texts), CorpusSettings(cleaning=cleaning)
    )
    dropped = corpus.survey(Workers(1)).dropped
    sets = [shingles(text) for text in texts]
    holders = defaultdict(list)
    must_go, may_go, found, wrong = 0, 0, 0, 0
    for number, own in enumerate(sets):
        earlier = {other for shingle in own for other in holders[shingle]}
        alike = max((jaccard(own, sets[other]) for other in earlier), default=0.0)
        must_go += alike >= min(similarity + 0.1, 0.97)
        found += alike >= min(similarity + 0.1, 0.97) and number in dropped
        may_go += alike < similarity - 0.1
        wrong += alike < similarity - 0.1 and number in dropped
        if number not in dropped:
            for shingle in own:
                holders[shingle].append(number)
    assert must_go > 40
    assert may_go > 300
    assert found >= 0.99 * must_go
    assert wrong <= 0.01 * may_go


def test_similarity_is_that_of_the_sets():
    """Estimates are within five deviations of Jaccard's similarity, and right on average."""
    rng, errors = random.Random(6), []
    for share in (0.05, 0.1, 0.3):
        for _ in range(30):
            first = " ".join(words(rng, 200))
            second = changed(rng, first, int(200 * share))
            rows = signatures([hash_shingles(first), hash_shingles(second)])
            truth = jaccard(shingles(first), shingles(second))
            errors.append((rows[0] == rows[1]).mean() - truth)
            deviation = (truth * (1 - truth) / NUM_SLOTS) ** 0.5
            assert abs(errors[-1]) < 5 * deviation + 1e-9
    assert abs(np.mean(errors)) < 0.015


@pytest.mark.parametrize("text", ["One two  THREE four\nfive six", "a b", "ẞtraße İ 雨 x"])
def test_shingles_are_runs_of_five_words(text):
    assert len(set(hash_shingles(text).tolist())) == len(shingles(text))


def test_words_are_told_apart_by_every_character_and_its_place():
    texts = ["ab ba", "a b ab", "aa aaa aaaa", "a\u00a0b\u3000c", "x" * 300 + " " + "x" * 301]
    assert [len(set(hash_words(text).tolist())) for text in texts] == [2, 3, 3, 3, 2]
    assert hash_words(" \n").tolist() == hash_words("").tolist() == []
    assert hash_words("Ab cD").tolist() == hash_words(" ab\ncd ").tolist()


@pytest.mark.parametrize(
    "text", ["雨停了", "雨が止む", "ฝนตก", "မိုး", "ភ្លៀង", "\U00020000\U00030000"]
)
def test_scripts_without_spaces_are_taken_by_characters(text):
    assert len(hash_words(text)) == len(text)
    assert len(hash_words(f"x{text}y z")) == len(text) + 3


def test_words_of_mixed_scripts():
    assert hash_words("x雨y").tolist() == hash_words("x 雨 y").tolist()
    assert len(hash_words("Дождь идёт")) == len(hash_words("비가 온다")) == 2


def test_a_long_text_is_read_in_blocks(monkeypatch):
    rng = random.Random(7)
    text = " ".join(words(rng, 5000))
    whole = hash_words(text)
    monkeypatch.setattr("bertsmith.corpus.duplicates.shingles._BLOCK_CHARS", 8 * 1000)
    assert hash_words(text).tolist() == whole.tolist()  # the words and spaces are 8 characters


@pytest.mark.parametrize("similarity", [0.5, 0.7, 0.8, 0.95, 1.0])
def test_bands_find_what_is_as_similar(similarity):
    banding = Banding.for_similarity(similarity)
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2**32, (2000, NUM_SLOTS), dtype=np.uint32)
    other = rng.integers(0, 2**32, (2000, NUM_SLOTS), dtype=np.uint32)
    second = np.where(rng.random(first.shape) < similarity, first, other)
    meets = (banding.keys(first) == banding.keys(second)).any(axis=1)
    assert meets.mean() >= 0.99
    assert not (banding.keys(first) == banding.keys(other)).any()


def test_the_bands_of_equal_slots_differ_by_place():
    keys = Banding(2, 64).keys(np.zeros((1, NUM_SLOTS), np.uint32))
    assert len(set(keys.reshape(-1).tolist())) == 64


def test_each_is_compared_with_those_that_stay():
    """B resembles A and C resembles B, but C doesn't resemble A: B goes and C stays."""
    rows = np.zeros((4, NUM_SLOTS), np.uint32)
    rows[1, :16], rows[2, :32], rows[3, :30] = 1, 1, 1
    bands = Occurrences(2)
    banding = Banding(4, 32)
    bands.add(banding.keys(rows).reshape(-1), np.repeat(np.arange(4, dtype=np.uint32), 32))
    found = find_near_duplicates(bands, rows, np.ones(4, np.bool_), 0.8)
    assert found.documents.tolist() == [1, 3]
    assert found.kept.tolist() == [0, 2]
    assert found.similarities.tolist() == [1 - 16 / 128, 1 - 2 / 128]
    without_first = find_near_duplicates(bands, rows, np.arange(4) > 0, 0.8)
    assert without_first.kept.tolist() == [1, 1]
    bands.close()


def test_occurrences_come_back_sorted(tmp_path):
    rng = np.random.default_rng(1)
    for num_parts in (1, 2, 64):
        notes = Occurrences(num_parts)
        keys = rng.integers(0, 2**64, 500, dtype=np.uint64)
        keys[::3] = keys[0]
        documents = rng.integers(0, 2**32, 500, dtype=np.uint32)
        for part in range(0, 500, 100):
            notes.add(keys[part : part + 100], documents[part : part + 100])
        pairs = [
            pair
            for part in notes.parts()
            for pair in zip(*(array.tolist() for array in part), strict=True)
        ]
        assert pairs == sorted(zip(keys.tolist(), documents.tolist(), strict=True))
        notes.close()
