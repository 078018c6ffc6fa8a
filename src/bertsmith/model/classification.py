"""Models for fine-tuning: one layer on top of the encoder, and nothing else new.

**Source**: Devlin et al. 2019, section 4 and figure 4.
"""

from dataclasses import replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from bertsmith.errors import InputError
from bertsmith.model.base import PretrainedModel
from bertsmith.model.bert import BertModel
from bertsmith.model.config import BertConfig
from bertsmith.model.dropout import Dropout
from bertsmith.model.initialization import initialize
from bertsmith.model.inputs import pack_inputs
from bertsmith.model.outputs import (
    MultipleChoiceOutput,
    QuestionAnsweringOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from bertsmith.model.packing import PackedSequences

__all__ = [
    "BertForMultipleChoice",
    "BertForQuestionAnswering",
    "BertForSequenceClassification",
    "BertForTokenClassification",
]


class BertForSequenceClassification(PretrainedModel[SequenceClassifierOutput]):
    """A class for each sequence or pair, or a number: dropout and a layer on the pooled [CLS].

    A regression is a model with one label.

    Args:
        config: the model's shape; `labels` are the classes.
        generator: where the first weights come from; the default generator if None.
    """

    optional_parts = ("bert.pooler", "classifier")

    def __init__(self, config: BertConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__(config)
        self.bert = BertModel(config, generator=generator)
        self.dropout = Dropout(config.head_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        initialize(self.classifier, config.initializer_range, generator)

    def forward_packed(
        self, packed: PackedSequences, *, output_hidden_states: bool = False
    ) -> SequenceClassifierOutput:
        """Returns logits [B, C]."""
        output = self.bert.forward_packed(packed, output_hidden_states=output_hidden_states)
        logits = self.classifier(self.dropout(output.pooler_output))
        return SequenceClassifierOutput(logits, hidden_states=output.hidden_states)


class BertForTokenClassification(PretrainedModel[TokenClassifierOutput]):
    """A tag for each token: dropout and a layer on every hidden state; no pooler.

    Args:
        config: the model's shape; `labels` are the tags.
        generator: where the first weights come from; the default generator if None.
    """

    optional_parts = ("classifier",)

    def __init__(self, config: BertConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooler=False, generator=generator)
        self.dropout = Dropout(config.head_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        initialize(self.classifier, config.initializer_range, generator)

    def forward_packed(
        self, packed: PackedSequences, *, output_hidden_states: bool = False
    ) -> TokenClassifierOutput:
        """Returns logits [T, C]."""
        output = self.bert.forward_packed(packed, output_hidden_states=output_hidden_states)
        logits = self.classifier(self.dropout(output.last_hidden_state))
        return TokenClassifierOutput(logits, hidden_states=output.hidden_states)


class BertForQuestionAnswering(PretrainedModel[QuestionAnsweringOutput]):
    """Where an answer starts and ends: a layer on every hidden state; no pooler, no dropout.

    Args:
        config: the model's shape; its `labels` stand for start and end.
        generator: where the first weights come from; the default generator if None.
    """

    optional_parts = ("qa_outputs",)

    def __init__(self, config: BertConfig, *, generator: torch.Generator | None = None) -> None:
        if config.num_labels != 2:
            # Hugging Face's class takes the width of this layer from the labels.
            config = replace(config, labels=("LABEL_0", "LABEL_1"))
        super().__init__(config)
        self.bert = BertModel(config, add_pooler=False, generator=generator)
        self.qa_outputs = nn.Linear(config.hidden_size, 2)
        initialize(self.qa_outputs, config.initializer_range, generator)

    def forward_packed(
        self, packed: PackedSequences, *, output_hidden_states: bool = False
    ) -> QuestionAnsweringOutput:
        """Returns start and end logits, [T] each."""
        output = self.bert.forward_packed(packed, output_hidden_states=output_hidden_states)
        start_T, end_T = self.qa_outputs(output.last_hidden_state).unbind(-1)
        return QuestionAnsweringOutput(start_T, end_T, hidden_states=output.hidden_states)


class BertForMultipleChoice(PretrainedModel[MultipleChoiceOutput]):
    """The best of several continuations: one score for the pooled [CLS] of each.

    Args:
        config: the model's shape; its `labels` are not used.
        generator: where the first weights come from; the default generator if None.

    Example:
        >>> config = BertConfig.of_size("tiny", vocab_size=10)
        >>> model = BertForMultipleChoice(config).eval()
        >>> tuple(model(torch.full((2, 4, 6), 5)).logits.shape)
        (2, 4)
    """

    optional_parts = ("bert.pooler", "classifier")

    def __init__(self, config: BertConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__(config)
        self.bert = BertModel(config, generator=generator)
        self.dropout = Dropout(config.head_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, 1)
        initialize(self.classifier, config.initializer_range, generator)

    def forward(
        self,
        input_ids: Int[Tensor, "B C S"],
        attention_mask: Int[Tensor, "B C S"] | Bool[Tensor, "B C S"] | None = None,
        token_type_ids: Int[Tensor, "B C S"] | None = None,
        *,
        output_hidden_states: bool = False,
    ) -> MultipleChoiceOutput:
        """Runs the model on a padded batch with C choices a question.

        Returns:
            Logits [B, C]; hidden states are [B * C, S, D].

        Raises:
            InputError: if shapes, lengths or ids don't fit the model.
        """
        if input_ids.ndim != 3:
            shape = list(input_ids.shape)
            raise InputError(
                f"has shape {shape}, not [questions, choices, length]", where="input_ids"
            )
        flat = [None if x is None else x.flatten(0, 1) for x in (attention_mask, token_type_ids)]
        packed, mask = pack_inputs(self.config, input_ids.flatten(0, 1), *flat)
        output = self.forward_packed(
            packed, input_ids.shape[1], output_hidden_states=output_hidden_states
        )
        return output.padded(mask)

    def forward_packed(  # type: ignore[override]  # how many choices, a packed batch can't say
        self, packed: PackedSequences, num_choices: int, *, output_hidden_states: bool = False
    ) -> MultipleChoiceOutput:
        """Returns logits [B, C].

        Args:
            packed: B * C sequences, the choices of a question side by side.
            num_choices: choices C of every question.
            output_hidden_states: whether to return the states of all layers.
        """
        output = self.bert.forward_packed(packed, output_hidden_states=output_hidden_states)
        logits = self.classifier(self.dropout(output.pooler_output))
        return MultipleChoiceOutput(
            logits.view(-1, num_choices), hidden_states=output.hidden_states
        )
