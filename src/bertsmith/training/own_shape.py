"""What of a recipe's model settings counts where the model is there already (`--init`)."""

from collections.abc import Callable
from typing import Any

from bertsmith.errors import RecipeError
from bertsmith.model import SIZES, BertConfig
from bertsmith.training.recipe import ModelSettings

__all__ = ["FREE_OF_SHAPE", "settings_of_model", "unapplied_settings"]

#: Settings that a model may be gone on with otherwise: its weights don't depend on them.
FREE_OF_SHAPE = ("hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range")
_OF_SIZE = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")
_SHAPE = (*_OF_SIZE, "max_position_embeddings", "hidden_act")


def settings_of_model(
    written: ModelSettings, config: BertConfig, source: str, warn: Callable[[str], None]
) -> ModelSettings:
    """The settings that describe a model which is there, with what may be set otherwise.

    The attention is left as it was written: the rest of the recipe was checked for it.

    Args:
        written: the settings that the user wrote; what isn't in `model_fields_set` is a default.
        config: the model's.
        source: where the model is.
        warn: is told, in one line, about a setting without effect.

    Raises:
        RecipeError: a written setting contradicts the model.
    """
    if contradictions := _contradictions(written, config):
        told = " and ".join(f"{name} (it has {own})" for name, own in contradictions)
        raise RecipeError(
            f"the model contradicts {told}",
            where=source,
            fix="leave that out: a model that is there keeps its shape",
        )
    if written.position_init != "normal":
        position_init = f"model.position_init={written.position_init}"
        warn(f"{source}: {position_init} has no effect: the model brings its positions")
    shape = tuple(getattr(config, name) for name in _OF_SIZE[:3])
    size = next((name for name, known in SIZES.items() if known == shape), written.size)
    own = {name: getattr(config, name) for name in (*_SHAPE, *FREE_OF_SHAPE)}
    changed = {name: value for name, value in _written(written).items() if name in FREE_OF_SHAPE}
    return written.model_copy(update={"size": size, **own, **changed, "position_init": "normal"})


def unapplied_settings(preset: ModelSettings, config: BertConfig) -> list[str]:
    """Which of a preset's model settings the model has otherwise, as `name=value`.

    Args:
        preset: the preset's settings.
        config: the model's.

    Example:
        >>> bert = BertConfig.of_size("base", vocab_size=100)
        >>> unapplied_settings(ModelSettings(size="tiny", hidden_dropout_prob=0.0), bert)
        ['model.size=tiny', 'model.hidden_dropout_prob=0.0']
        >>> unapplied_settings(ModelSettings(size="base"), bert)
        []
    """
    found = [name for name, _ in _contradictions(preset, config)]
    for name, value in _written(preset).items():
        if name in FREE_OF_SHAPE and value != getattr(config, name):
            found.append(f"model.{name}={value}")
    return found


def _contradictions(settings: ModelSettings, config: BertConfig) -> list[tuple[str, str]]:
    """Settings that were written and aren't the model's, and what it has instead."""
    written = _written(settings)
    found = [
        (f"model.{name}={written[name]}", str(getattr(config, name)))
        for name in _SHAPE
        if name in written and written[name] != getattr(config, name)
    ]
    if "size" in written:
        layers, hidden, heads = SIZES[settings.size]
        implied = dict(zip(_OF_SIZE, (layers, hidden, heads, 4 * hidden), strict=True))
        if "hidden_size" in written:  # then it, and not the size, decides the intermediate one
            del implied["intermediate_size"]
        if any(implied[n] != getattr(config, n) for n in implied.keys() - written.keys()):
            own = f"L{config.num_hidden_layers} H{config.hidden_size} A{config.num_attention_heads}"
            found.insert(0, (f"model.size={settings.size}", own))
    return found


def _written(settings: ModelSettings) -> dict[str, Any]:
    return settings.model_dump(include=set(settings.model_fields_set), exclude_none=True)
