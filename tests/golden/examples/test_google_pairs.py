"""Our examples have the distribution of google-research/bert's own, within sampling error."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bertsmith.examples import ExampleSettings, build_examples, plan_epoch
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
from token_sources import MemorySource

GOLDEN = json.loads(Path(__file__).with_name("google_pairs.json").read_text())
# Fewer events than this over all passes don't make a normal sum.
FEW = 40


@cache
def measure(case):
    """Statistics of our passes, predictions by length, and the recorded ones."""
    settings = ExampleSettings(
        **CASES[case],
        masked_lm_prob=MASKED_LM_PROB,
        max_predictions_per_seq=MAX_PREDICTIONS[case],
        whole_word_masking=case in WHOLE_WORD_CASES,
    )
    lengths = sentence_lengths()
    source = MemorySource(lengths, word_starts(lengths))
    statistics, num_predictions = Statistics(lengths), {}
    for epoch in range(NUM_PASSES):
        plan = plan_epoch(source, source.documents, settings, seed=0, epoch=epoch)
        examples = build_examples(source, plan, np.arange(len(plan)))
        row = np.searchsorted(examples.cu_seqlens, examples.masked_positions, side="right") - 1
        sizes = np.diff(examples.cu_seqlens)
        masks = mask_statistics(
            sizes[row],
            examples.masked_positions - examples.cu_seqlens[row],
            examples.masked_labels,
            examples.input_ids[examples.masked_positions],
            source.vocabulary.mask_id,
            len(source.vocabulary),
        )
        if settings.whole_word_masking:
            original = examples.input_ids.copy()
            original[examples.masked_positions] = examples.masked_labels
            masks.update(
                word_statistics(
                    original, examples.cu_seqlens, examples.masked_positions, source.word_starts
                )
            )
        for length, number in zip(sizes, np.bincount(row, minlength=len(plan)), strict=True):
            num_predictions.setdefault(str(length), set()).add(int(number))
        spans = plan.spans
        statistics.add_pass(
            spans.a_start,
            spans.a_length,
            spans.b_start,
            spans.b_length,
            spans.next_sentence_labels,
            masks,
        )
    return statistics, num_predictions, GOLDEN["cases"][case]


@pytest.mark.parametrize("case", CASES)
def test_every_statistic_is_within_sampling_error(case):
    statistics, _, golden = measure(case)
    deviations = {}
    for name in golden["statistics"].keys() | statistics.sums.keys():
        google_sum, google_square = golden["statistics"].get(name, (0, 0))
        our_sum, our_square = statistics.sums[name], statistics.squares[name]
        if google_sum + our_sum < FEW:
            continue
        means = np.array([google_sum, our_sum]) / NUM_PASSES
        variances = np.array([google_square, our_square]) / NUM_PASSES - means**2
        error = np.sqrt(variances.sum() / NUM_PASSES)
        difference = means[1] - means[0]
        deviations[name] = 0.0 if difference == 0 else difference / max(error, 1e-9)
    squares = np.array(list(deviations.values())) ** 2
    assert len(squares) > 200
    # Of some 250 to 350 normal deviations one is over 4.5 with a chance below 0.3 %.
    assert {name: z for name, z in deviations.items() if abs(z) > 4.5} == {}
    # Many small deviations in one direction would show here: the mean square is 1 ± 0.09.
    assert squares.mean() < 1.35


@pytest.mark.parametrize("case", sorted(CASES.keys() - WHOLE_WORD_CASES))
def test_number_of_predictions_is_exact_at_every_length(case):
    _, num_predictions, golden = measure(case)
    common = golden["num_predictions"].keys() & num_predictions.keys()
    assert len(common) > 25
    for length in common:
        assert num_predictions[length] == {golden["num_predictions"][length]}


@pytest.mark.parametrize(
    ("case", "single"), [("whole words", "paper"), ("short whole words", "short")]
)
def test_whole_words_never_go_beyond_the_number_of_single_tokens(case, single):
    _, num_predictions, _ = measure(case)
    exact = GOLDEN["cases"][single]["num_predictions"]
    common = exact.keys() & num_predictions.keys()
    assert len(common) > 25
    assert all(max(num_predictions[length]) <= exact[length] for length in common)
    assert sum(max(num_predictions[length]) == exact[length] for length in common) > 25
