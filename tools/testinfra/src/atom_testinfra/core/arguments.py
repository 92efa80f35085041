"""What arguments of pytest say, as far as it has to be known before pytest reads them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

_SHORT = frozenset("Wckmnopr")
_LONG = frozenset(
    """
    --assert --basetemp --capture --code-highlight --color --confcutdir --config-file --deselect --dist
    --doctest-glob --doctest-report --durations --durations-min --hypothesis-profile --hypothesis-seed
    --hypothesis-verbosity --ignore --ignore-glob --import-mode --junit-prefix --junit-xml --junitprefix
    --junitxml --last-failed-no-failures --lfnf --log-auto-indent --log-cli-date-format --log-cli-format
    --log-cli-level --log-date-format --log-disable --log-file --log-file-date-format --log-file-format
    --log-file-level --log-file-mode --log-format --log-level --max-warnings --max-worker-restart --maxfail
    --maxprocesses --maxschedchunk --numprocesses --override-ini --pastebin --pdbcls --px --pythonwarnings
    --report-chars --rootdir --rsyncdir --rsyncignore --show-capture --tb --testrunuid --tx --verbosity
    """.split()  # noqa: SIM905 (a list would be sixty lines)
)
"""Options of pytest, of xdist and of Hypothesis that take the next word; a test asks them."""

_WITHOUT_TESTS = frozenset(
    """
    --cache-show --co --collect-only --collectonly --fixtures --fixtures-per-test --funcargs --help --markers
    --setup-only --setup-plan --setuponly --setupplan --version -V -h
    """.split()  # noqa: SIM905 (the same)
)
_UNTIL_FAILURE = frozenset({"-x", "--exitfirst", "--maxfail"})


_PATHS = frozenset(
    {
        "--basetemp", "--config-file", "--confcutdir", "--ignore", "--junit-xml", "--junitxml", "--log-file",
        "--rootdir",
    }
)  # fmt: skip
"""Those of them that take a file or a folder."""
_WRITTEN = frozenset({"--junit-xml", "--junitxml", "--log-file"})
"""Those that take a file to write, which every run begins anew."""


def name_places(arguments: Iterable[str]) -> list[str]:
    """
    Return the words that name files, folders or tests.

    The word after an option that nobody here knows is taken for one, whatever the option does with it.
    """
    return [word for option, word in _read(arguments) if not option and word]


def find_option_without_tests(arguments: Iterable[str]) -> str | None:
    """Return the option with which pytest runs no test, if there is one."""
    return find_option(arguments, _WITHOUT_TESTS)


def find_option(arguments: Iterable[str], options: Container[str]) -> str | None:
    """Return the first of the options that is among the arguments."""
    return next((option for option, _ in _read(arguments) if option in options), None)


def stop_at_failure(arguments: Iterable[str]) -> bool:
    """Return whether the run is to end at a failure, as `-x` says, also within `-vx`."""
    return any(option in _UNTIL_FAILURE for option, _ in _read(arguments))


def relocate(
    arguments: Iterable[str], *, move_place: Callable[[str], str], move_path: Callable[[str, str], str]
) -> list[str]:
    """
    Return the arguments as they are called from another folder.

    What names files, folders or tests goes through `move_place`, the path that an option takes through
    `move_path`, which is also told the option: that path need not exist.
    """
    moved: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            moved += [word, *map(move_place, words)]
        elif word.startswith("--"):
            option, equals, value = word.partition("=")
            moved += [f"{option}={move_path(option, value)}"] if equals and option in _PATHS else [word]
            if not equals and option in _LONG and (value := next(words, None)) is not None:  # type: ignore[assignment]
                moved.append(move_path(option, value) if option in _PATHS else value)
        elif word.startswith("-") and word != "-":
            moved += _relocate_short(word, words, move_path)
        else:
            moved.append(move_place(word))
    return moved


def rename_outputs(arguments: Iterable[str], suffix: str) -> list[str]:
    """Return the arguments of a further run, so that it leaves what pytest wrote for the first one."""

    def rename(option: str, path: str) -> str:
        if option not in _WRITTEN:
            return path
        stem, dot, ending = path.rpartition(".")
        is_ending = dot and stem and "/" not in ending
        return f"{stem}-{suffix}.{ending}" if is_ending else f"{path}-{suffix}"

    return relocate(arguments, move_place=str, move_path=rename)


def _relocate_short(word: str, words: Iterator[str], move_path: Callable[[str, str], str]) -> list[str]:
    for position, letter in enumerate(word[1:], start=2):
        if letter in _SHORT:
            has_rest = position < len(word)
            value = word[position:] if has_rest else next(words, None)
            if value is None:
                return [word]
            value = move_path("-c", value) if letter == "c" else value
            return [word[:position] + value] if has_rest else [word, value]
    return [word]


def _read(arguments: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each option with its value, where it has one, and other words with no option."""
    words = iter(arguments)
    for word in words:
        if word == "--":
            yield from (("", rest) for rest in words)
        elif word.startswith("--"):
            option, equals, value = word.partition("=")
            yield option, next(words, "") if option in _LONG and not equals else value
        elif word.startswith("-") and word != "-":
            yield from _read_short(word[1:], words)
        else:
            yield "", word


def _read_short(letters: str, words: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Yield the options of a word such as `-vxk`: the value of the last is the rest, or the next word."""
    for position, letter in enumerate(letters, start=1):
        if letter in _SHORT:
            yield f"-{letter}", letters[position:] or next(words, "")
            return
        yield f"-{letter}", ""
