"""What the demo does, in numbers."""

from pydantic import Field

from bertsmith._settings import Settings

__all__ = ["DemoSettings"]


class DemoSettings(Settings):
    """Sizes and times of the demo; the defaults fit ten minutes on two cores."""

    corpus_bytes: int = Field(10_000_000, ge=300_000, description="documentation to gather, bytes")
    labelled_share: float = Field(
        0.08, gt=0, lt=1, description="share of documents kept for the labelled sentences"
    )
    vocab_size: int = Field(8192, ge=500, description="tokens")
    budget_seconds: float = Field(240.0, gt=0, description="length of pre-training, seconds")
    num_packages: int = Field(5, ge=2, description="labels of the classification task, at most")
    train_sentences_each: int = Field(80, ge=1, description="sentences of each label to train on")
    test_sentences_each: int = Field(120, ge=1, description="sentences of each label to score on")
    num_seeds: int = Field(3, ge=2, description="fine-tuning runs of each kind")
    num_epochs: int = Field(12, ge=1, description="passes over the labelled sentences")
    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate of fine-tuning")
