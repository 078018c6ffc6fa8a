"""Our examples have the distribution of google-research/bert's own, within sampling error."""

import json
from pathlib import Path

import numpy as np
import pytest

from bertsmith.examples import ExampleSettings, build_examples, plan_epoch
from google_statistics import (
    CASES,
    MASKED_LM_PROB,
    MAX_PREDICTIONS,
    NUM_PASSES,
    Statistics,
    mask_statistics,
    sentence_lengths,
)
from token_sources import MemorySource

GOLDEN = json.loads(Path(__file__).with_name("google_pairs.json").read_text())
# Fewer events than this over all passes don't make a normal sum.
FEW = 40


@pytest.fixture(scope="module", params=CASES)
def measured(request):
    """Statistics of our passes, predictions by length, and the recorded ones."""
    case = request.param
    settings = ExampleSettings(
        **CASES[case], masked_lm_prob=MASKED_LM_PROB, max_predictions_per_seq=MAX_PREDICTIONS[case]
    )
    lengths = sentence_lengths()
    source, statistics, num_predictions = MemorySource(lengths), Statistics(lengths), {}
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
        for length, number in zip(sizes, np.bincount(row), strict=True):
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


def test_every_statistic_is_within_sampling_error(measured):
    statistics, _, golden = measured
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
    # Of some 250 normal deviations one is over 4.5 with a chance below 0.2 %.
    assert {name: z for name, z in deviations.items() if abs(z) > 4.5} == {}
    # Many small deviations in one direction would show here: the mean square is 1 ± 0.09.
    assert squares.mean() < 1.35


def test_number_of_predictions_is_exact_at_every_length(measured):
    _, num_predictions, golden = measured
    common = golden["num_predictions"].keys() & num_predictions.keys()
    assert len(common) > 25
    for length in common:
        assert num_predictions[length] == {golden["num_predictions"][length]}
