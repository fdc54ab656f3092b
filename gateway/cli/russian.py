"""What click itself says, in Russian: usage errors, and the headings of `--help`.

click looks its sentences up with gettext, which reads compiled catalogues from files by the
machine's locale; the language here is the user's choice (`--lang`, GATEWAY_LANG), so the
look-up of click's modules is replaced by this table.  What is not in it stays English.
"""

from __future__ import annotations

from contextvars import ContextVar

from click import core, decorators, exceptions, formatting, parser, termui, types

MODULES = (core, decorators, exceptions, formatting, parser, termui, types)

SENTENCES = {
    "Usage:": "Вызов:",
    "Options": "Ключи",
    "Commands": "Команды",
    "Positional arguments": "Аргументы",
    "Show this message and exit.": "Показать эту справку.",
    "Show the version and exit.": "Показать версию.",
    "%(prog)s, version %(version)s": "%(prog)s, версия %(version)s",
    "default: {default}": "по умолчанию: {default}",
    "env var: {var}": "переменная: {var}",
    "required": "обязательно",
    "Aborted!": "Прервано.",
    "Error: {message}": "Ошибка: {message}",
    "Try '{command} {option}' for help.": "Справка: {command} {option}",
    "Did you mean {possibility}?": "Может быть, {possibility}?",
    "(Did you mean one of: {possibilities}?)": "Может быть, одно из: {possibilities}?",
    "Invalid value: {message}": "Неверное значение: {message}",
    "Invalid value for {param_hint}: {message}": "Неверное значение {param_hint}: {message}",
    "Missing argument": "Не указан аргумент",
    "Missing option": "Не указан ключ",
    "Missing parameter": "Не указано",
    "Missing {param_type}": "Не указано: {param_type}",
    "Missing command.": "Не указана команда.",
    "Choose from:\n\t{choices}": "Варианты:\n\t{choices}",
    "No such option {name!r}.": "Нет такого ключа: {name!r}.",
    "No such command {name!r}.": "Нет такой команды: {name!r}.",
    "Got unexpected extra argument ({args})": "Лишний аргумент ({args})",
    "Got unexpected extra arguments ({args})": "Лишние аргументы ({args})",
    "Argument {name!r} takes {nargs} values.": "Аргументу {name!r} нужно значений: {nargs}.",
    "Option {name!r} does not take a value.": "Ключ {name!r} не принимает значения.",
    "Option {name!r} requires an argument.": "Ключу {name!r} нужно значение.",
    "Option {name!r} requires {nargs} arguments.": "Ключу {name!r} нужно значений: {nargs}.",
    "{value!r} is not {choice}.": "{value!r}: можно только {choice}.",
    "{value!r} is not one of {choices}.": "{value!r}: можно одно из {choices}.",
    "{value!r} is not a valid {number_type}.": "{value!r}: нужно число.",
    "{value} is not in the range {range}.": "{value}: нужно {range}.",
    "file": "файл",
    "directory": "папка",
    "path": "путь",
    "{name} {filename!r} does not exist.": "{name} {filename!r}: не существует.",
    "{name} {filename!r} is a file.": "{name} {filename!r}: это файл.",
    "{name} {filename!r} is a directory.": "{name} {filename!r}: это папка.",
    "{name} {filename!r} is not readable.": "{name} {filename!r}: нельзя прочитать.",
    "{name} {filename!r} is not writable.": "{name} {filename!r}: нельзя записать.",
    "Could not open file {filename!r}: {message}": "Файл {filename!r} не открыть: {message}",
    "unknown error": "неизвестная ошибка",
}

PLACEHOLDERS = {
    "[OPTIONS]": "[КЛЮЧИ]",
    "COMMAND [ARGS]...": "КОМАНДА [АРГУМЕНТЫ]...",
    "TEXT": "ТЕКСТ",
    "INTEGER": "ЧИСЛО",
    "INTEGER RANGE": "ЧИСЛО",
    "FLOAT RANGE": "ЧИСЛО",
}
"""What stands for a value in the usage line and beside an option; click never looks these up."""

_spoken: ContextVar[str] = ContextVar("spoken", default="ru")


def speak(language: str) -> None:
    """Let click's own words come in a language from now on."""
    _spoken.set(language)


def either(ru: str, en: str) -> str:
    """Return the text in the language click's own words come in."""
    return ru if _spoken.get() == "ru" else en


def install() -> None:
    """Give click's modules our look-up; once is enough."""
    for module in MODULES:
        for name, lookup in (("_", _one), ("ngettext", _counted)):
            if hasattr(module, name):
                setattr(module, name, lookup)
    write_usage, make_metavar = formatting.HelpFormatter.write_usage, core.Parameter.make_metavar

    def usage(
        self: formatting.HelpFormatter, prog: str, args: str = "", prefix: str | None = None
    ) -> None:
        for english in ("[OPTIONS]", "COMMAND [ARGS]..."):
            args = args.replace(english, _placeholder(english))
        write_usage(self, prog, args, prefix)

    def metavar(self: core.Parameter, ctx: core.Context) -> str:
        return _placeholder(make_metavar(self, ctx))

    formatting.HelpFormatter.write_usage = usage  # type: ignore[method-assign]
    core.Parameter.make_metavar = metavar  # type: ignore[method-assign]


def _placeholder(written: str) -> str:
    return either(PLACEHOLDERS.get(written, written), written)


def _one(sentence: str) -> str:
    return either(SENTENCES.get(sentence, sentence), sentence)


def _counted(one: str, many: str, number: int) -> str:
    return _one(one if number == 1 else many)
