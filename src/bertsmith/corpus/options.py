"""Settings as the command line's options, for commands that messages name."""

from collections.abc import Mapping

from bertsmith.corpus.settings import CorpusSettings

__all__ = ["changed_settings", "option_words"]

# Fields whose option has another name than their own.
_OPTION_NAMES = {"control_characters": "drop-control-characters"}
# Fields that have no option.
_NO_OPTIONS = ("cleaning", "max_line_bytes", "max_document_chars")


def changed_settings(settings: CorpusSettings) -> dict[str, object]:
    """The fields about reading and cleaning that are not as they are by default.

    Example:
        >>> changed_settings(CorpusSettings(language="de"))
        {'language': 'de'}
    """
    return _changed(settings) | _changed(settings.cleaning)


def option_words(values: Mapping[str, object]) -> list[str]:
    """Options and their values, as words of a command line.

    Args:
        values: fields and their values; those that are None or False are left out.

    Example:
        >>> option_words({"xml_namespaces": (0, 12), "errors": None, "control_characters": True})
        ['--xml-namespaces', '0', '--xml-namespaces', '12', '--drop-control-characters']
    """
    words = list[str]()
    for name, value in values.items():
        option = "--" + _OPTION_NAMES.get(name, name).replace("_", "-")
        if value is True:
            words.append(option)
        elif value is not False and value is not None:
            for one in value if isinstance(value, tuple) else (value,):
                words += [option, f"{one:g}" if isinstance(one, float) else str(one)]
    return words


def _changed(settings: object) -> dict[str, object]:
    fields = type(settings).model_fields  # type: ignore[attr-defined]
    return {
        name: getattr(settings, name)
        for name, field in fields.items()
        if name not in _NO_OPTIONS and getattr(settings, name) != field.default
    }
