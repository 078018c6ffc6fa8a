"""What a run tells before it begins: settings without effect, a store of unknown words."""

from cli_runs import FAST


def test_a_budget_may_be_cleared_and_given(bertsmith, store, tmp_path):
    """A run's recipe has a budget; who goes on with it gives another one."""
    again = ("--set", "training.budget_seconds=null", "--budget", "1s")
    code, _, err = bertsmith(
        "pretrain", store, "--recipe", "tiny", "-o", tmp_path / "run", *FAST, *again
    )
    assert code == 0, err


def test_a_phase_that_gets_no_update_is_told(bertsmith, store, tmp_path):
    phases = "phases=[{share: 0.99, max_seq_length: 16}, {share: 0.01, max_seq_length: 32}]"
    clear = ("--set", "examples.max_seq_length=128")
    told = "no update is left for phases.1 in a run of "
    for steps in (9, 100):
        options = ("--set", phases, "--set", f"training.num_steps={steps}")
        code, _, err = bertsmith(
            "pretrain", store, "--recipe", "tiny", "-o", tmp_path / f"run{steps}",
            *FAST, *clear, *options,
        )  # fmt: skip
        assert code == 0, err
        assert (f"{told}{steps}: its share" in err) == (steps == 9)


def test_a_store_of_unknown_words_is_told_before_it_is_trained_on(bertsmith, corpus, tmp_path):
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nriver\n.\n")
    store = tmp_path / "store"
    assert bertsmith("prepare", corpus, "--vocab", vocab, "-o", store, "--workers", "1")[0] == 0
    steps = ("--set", "training.num_steps=2")
    code, _, err = bertsmith(
        "pretrain", store, "--recipe", "tiny", "-o", tmp_path / "run", *FAST, *steps
    )
    assert code == 0
    assert "% of the store's tokens are [UNK]: the vocabulary doesn't fit its text" in err


def test_a_folder_one_is_in_is_not_empty(bertsmith, store, tmp_path, monkeypatch):
    monkeypatch.chdir(store)
    clear = ("--set", "training.budget_seconds=", "--set", "training.num_steps=2")
    output = tmp_path / "run"
    code, _, err = bertsmith("pretrain", ".", "--recipe", "tiny", "-o", output, *FAST, *clear)
    assert code == 0, err


def test_frozen_noise_is_told_only_where_there_are_such_layers(bertsmith, store, tmp_path):
    frozen = ("--set", "training.freeze_layers=3")
    code, _, err = bertsmith(
        "pretrain", store, "--recipe", "tiny", "-o", tmp_path / "run", *FAST, *frozen
    )
    assert code == 2
    assert err.count("\n") == 1
    assert "3 is over the model's 1 layers" in err
