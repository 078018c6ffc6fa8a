"""bertsmith builds a BERT from your own text, end to end.

The public names below are imported when they are first used, so that `import bertsmith` and the
command line start without PyTorch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bertsmith.errors import BertsmithError
    from bertsmith.inference import pipeline
    from bertsmith.model import (
        BertConfig,
        BertForMaskedLM,
        BertForMultipleChoice,
        BertForPreTraining,
        BertForQuestionAnswering,
        BertForSequenceClassification,
        BertForTokenClassification,
        BertModel,
    )
    from bertsmith.wordpiece import Encoding, Tokenizer, Vocabulary

__version__ = "0.1.0"

__all__ = [
    "BertConfig",
    "BertForMaskedLM",
    "BertForMultipleChoice",
    "BertForPreTraining",
    "BertForQuestionAnswering",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "BertModel",
    "BertsmithError",
    "Encoding",
    "Tokenizer",
    "Vocabulary",
    "__version__",
    "pipeline",
]

_ROOMS = {
    "BertsmithError": "errors",
    "Encoding": "wordpiece",
    "Tokenizer": "wordpiece",
    "Vocabulary": "wordpiece",
    "pipeline": "inference",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'bertsmith' has no attribute {name!r}")
    return getattr(importlib.import_module(f"bertsmith.{_ROOMS.get(name, 'model')}"), name)


def __dir__() -> list[str]:
    return __all__
