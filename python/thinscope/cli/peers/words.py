"""How the programs of thin-provisioning-tools read their words, and what they say of misuse.

They read them in ways of their own that scripts notice: an option that may lack its value
takes one only behind ``=``, none may be given twice unless it says so, none may be shortened.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "HIDDEN",
    "IO_ENGINE",
    "Argument",
    "Choice",
    "Misuse",
    "Option",
    "Unsigned",
    "read_words",
]


_ALIKE = 0.7
"""From there on a word is taken for a slip of another."""

_MOST_DIGITS = 20
"""Of a number of 64 bits: longer ones are not even converted."""


class Misuse(Exception):
    """The words cannot be understood."""

    def __init__(self, message: str, usage: str | None = None) -> None:
        """Make it from what is told, and how the command is used, where that helps."""
        super().__init__(message if usage is None else f"{message}\n\nUsage: {usage}")


class Argument:
    """A word that is no option: what a program works on.

    Attributes:
        name: The parameter of the function that takes it.
        metavar: What it is called in messages.
    """

    def __init__(self, name: str, metavar: str) -> None:
        """Make the argument; it is always needed."""
        self.name = name
        self.metavar = metavar


class Option:
    """An option of a program.

    Attributes:
        words: How it is written.
        name: The parameter of the function that takes it: the first long word.
        metavar: What its value is called in messages; None where it takes none.
        convert: Makes the value of a word, or raises `ValueError` with what is wrong with it.
        help: What help tells of it; None where it is told nowhere.
        default: What it means when it is not given.
        if_bare: What it means when no ``=VALUE`` follows, where it may lack its value.
        conflicts_with: The names of options that it cannot go with.
        is_either: Whether it and those others are told as a choice.
        is_list: Whether its value is several with commas between them.
        is_multiple: Whether it can be given several times.
        is_required: Whether it must be given.
    """

    def __init__(  # noqa: PLR0913 - keywords
        self,
        words: list[str],
        *,
        metavar: str | None = None,
        convert: Callable[[str], object] = str,
        help: str | None = None,  # noqa: A002 - as click has it
        default: object = None,
        if_bare: object = None,
        conflicts_with: tuple[str, ...] = (),
        is_either: bool = False,
        is_list: bool = False,
        is_multiple: bool = False,
        is_required: bool = False,
    ) -> None:
        """Make the option; one without a metavar is a flag."""
        self.words = words
        long = next((word for word in words if word.startswith("--")), words[0])
        self.name = long.lstrip("-").replace("-", "_")
        self.metavar = metavar
        self.convert = convert
        self.help = help
        self.default = default
        self.if_bare = if_bare
        self.conflicts_with = conflicts_with
        self.is_either = is_either
        self.is_list = is_list
        self.is_multiple = is_multiple
        self.is_required = is_required

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return self.metavar is None

    @property
    def is_hidden(self) -> bool:
        """Whether scripts may give it, and help does not tell it."""
        return self.help is None

    @property
    def usage(self) -> str:
        """How it is written, with its value."""
        word = max(self.words, key=len)
        if self.is_flag:
            return word
        value = f"<{self.metavar}>"
        return f"{word} {value}" if self.if_bare is None else f"{word}[={value}]"

    @property
    def choices(self) -> str:
        """The values that there are, on a line of their own, where they can be told."""
        if isinstance(self.convert, Choice):
            return f"\n  [possible values: {', '.join(self.convert.values)}]"
        return ""


class Choice:
    """One of these words.

    Attributes:
        values: The words.
    """

    def __init__(self, *values: str) -> None:
        """Take the words."""
        self.values = values

    def __call__(self, word: str) -> str:
        """Return the word.

        Raises:
            ValueError: It is none of them.
        """
        if word not in self.values:
            raise ValueError(f"{word} is none of {', '.join(self.values)}")
        return word


class Unsigned:
    """A number without a sign, of so many bits."""

    def __init__(self, bits: int) -> None:
        """Take the width."""
        self.bits = bits

    def __call__(self, word: str) -> int:
        """Return the number.

        Raises:
            ValueError: It is none, or too large.
        """
        digits = word.removeprefix("+")
        if not word:
            raise ValueError("cannot parse integer from empty string")
        if not (digits.isascii() and digits.isdecimal()):
            raise ValueError("invalid digit found in string")
        if len(digits.lstrip("0")) > _MOST_DIGITS or int(digits) >= 1 << 64:
            raise ValueError("number too large to fit in target type")
        if int(digits) >> self.bits:
            raise ValueError(f"{word} is not in 0..={(1 << self.bits) - 1}")
        return int(digits)


IO_ENGINE = Option(["--io-engine"], metavar="IO_ENGINE")
"""What scripts may give and help does not tell. Blocks are read in one way only."""

HIDDEN: tuple[Option, ...] = (
    Option(["-v"], is_multiple=True),
    IO_ENGINE,
)
"""The same with `-v`, which some programs take."""


class _Program(Protocol):
    """What takes words."""

    name: str
    arguments: Sequence[Argument]
    options: tuple[Option, ...]


def read_words(program: _Program, words: list[str]) -> dict[str, Any] | None:
    """Return the value of each parameter, by name; None where help is asked for.

    Raises:
        Misuse: The words cannot be understood.
    """
    reading = _Reading(program)
    rest = iter(words)
    for word in rest:
        if word in ("-h", "--help"):
            reading.convert()
            return None
        if word == "--":
            for positional in rest:
                reading.take_positional(positional)
        elif word.startswith("--"):
            reading.take_long(word, rest)
        elif word.startswith("-") and word != "-":
            if reading.take_short(word, rest) == "h":
                reading.convert()
                return None
        else:
            reading.take_positional(word)
    return reading.finish()


class _Reading:
    """What has been read so far."""

    def __init__(self, program: _Program) -> None:
        self._name = program.name
        self._options = program.options
        self._arguments = program.arguments
        self._by_word = {word: option for option in self._options for word in option.words}
        self._given: dict[str, list[Any]] = {}
        self._unconverted: tuple[Option, str] | None = None

    def take_positional(self, word: str) -> None:
        for argument in self._arguments:
            if argument.name not in self._given:
                self.convert()
                self._given[argument.name] = [word]
                return
        raise Misuse(f"unexpected argument '{word}' found", self._usage())

    def take_long(self, word: str, rest: Iterator[str]) -> None:
        name, equals, value = word.partition("=")
        option = self._by_word.get(name)
        if option is None:
            raise self._unexpected(name)
        if option.is_flag and equals:
            message = f"unexpected value '{value}' for '{name}' found; no more were expected"
            raise Misuse(message, f"{self._name} {self._with_required([option.usage])}")
        self._add(option, value if equals else None, rest)

    def take_short(self, word: str, rest: Iterator[str]) -> str | None:
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter == "h":
                return letter
            option = self._by_word.get(f"-{letter}")
            if option is None:
                raise self._unexpected(f"-{letter}")
            takes_value = not option.is_flag and (option.if_bare is None or letters[:1] == "=")
            if takes_value and letters:
                self._add(option, letters.removeprefix("="), rest)
                return None
            self._add(option, None, rest)
        return None

    def finish(self) -> dict[str, Any]:
        """Return the values of all parameters."""
        self.convert()
        if "version" in self._given:
            message = "cannot be used with one or more of the other specified arguments"
            raise Misuse(f"the argument '--version' {message}", self._usage())
        values = {option.name: self._value(option) for option in self._options}
        del values["version"]
        self._look_for_conflicts()
        self._look_for_missing()
        for argument in self._arguments:
            values[argument.name] = self._given[argument.name][0]
        return values

    def _add(self, option: Option, value: str | None, rest: Iterator[str]) -> None:
        self.convert()
        given = self._given.get(option.name, [])
        is_bare = value is None and (option.is_flag or option.if_bare is not None)
        if is_bare:
            given.append(option.is_flag or option.if_bare)
        else:
            word = self._next_value(option, rest) if value is None else value
            is_again = given and not option.is_multiple
            if not word and option.choices and not is_again:
                raise _lacks_value(option)
            self._unconverted = option, word
            given.append(word)
        self._given[option.name] = given
        if len(given) > 1 and not option.is_multiple:
            message = f"the argument '{option.usage}' cannot be used multiple times"
            raise Misuse(message, self._usage())
        if value is not None:
            self.convert()

    def convert(self) -> None:
        """Convert the value of the option that came last: what is wrong with it is told only now."""
        if self._unconverted is None:
            return
        option, word = self._unconverted
        self._unconverted = None
        taken = []
        for part in word.split(",") if option.is_list else [word]:
            try:
                taken.append(option.convert(part))
            except ValueError as error:
                reason = option.choices or f": {error}"
                raise Misuse(f"invalid value '{part}' for '{option.usage}'{reason}") from None
        self._given[option.name][-1] = taken if option.is_list else taken[0]

    def _next_value(self, option: Option, rest: Iterator[str]) -> str:
        word = next(rest, None)
        if word is not None and word.startswith("-") and word != "-":
            known = word.partition("=")[0] if word.startswith("--") else word[:2]
            if known not in (*self._by_word, "-h", "--help", "--"):
                raise self._unexpected(known)
            word = None
        if word is None:
            raise _lacks_value(option)
        return word

    def _value(self, option: Option) -> object:
        given = self._given.get(option.name, [])
        if option.is_multiple:
            return tuple(given)
        if option.is_flag:
            return bool(given)
        return given[0] if given else option.default

    def _look_for_conflicts(self) -> None:
        given = [option for option in self._given_options() if option.conflicts_with]
        for option in given:
            others = [other for other in given if other.name in option.conflicts_with]
            if not others:
                continue
            if len(others) == 1:
                listed = f" '{others[0].usage}'"
            else:
                listed = ":" + "".join(f"\n  {other.usage}" for other in others)
            for other in others:
                del self._given[other.name]
            message = f"the argument '{option.usage}' cannot be used with{listed}"
            raise Misuse(message, self._usage_so_far())

    def _look_for_missing(self) -> None:
        missing = [
            option.usage
            for option in self._options
            if option.is_required and option.name not in self._given
        ]
        missing += [f"<{each.metavar}>" for each in self._arguments if each.name not in self._given]
        if missing:
            lines = "".join(f"\n  {usage}" for usage in missing)
            message = f"the following required arguments were not provided:{lines}"
            used = [option.usage for option in self._given_options() if not option.is_required]
            raise Misuse(message, f"{self._name} {self._with_required(used)}")

    @staticmethod
    def _is_told(option: Option) -> bool:
        return not option.is_hidden and option.name != "version"

    def _given_options(self) -> list[Option]:
        """Those that can be seen, in the order in which they were given."""
        by_name = {option.name: option for option in self._options if not option.is_hidden}
        return [by_name[name] for name in self._given if name in by_name]

    def _unexpected(self, word: str) -> Misuse:
        message = f"unexpected argument '{word}' found"
        known = [known for known in (*self._by_word, "--help") if known.startswith("--")]
        likeness = {each: _likeness(word[2:], each[2:]) for each in known}
        # Of words that are as much alike, the last one.
        similar = max(reversed(known), key=lambda each: likeness[each])
        if word.startswith("--") and likeness[similar] > _ALIKE:
            tip = f"\n\n  tip: a similar argument exists: '{similar}'"
            usage = self._usage_so_far(self._by_word.get(similar), as_choices=True)
            return Misuse(message + tip, usage)
        tip = f"\n\n  tip: to pass '{word}' as a value, use '-- {word}'" if self._arguments else ""
        is_long = word.startswith("--")
        usage = self._usage_so_far(as_choices=True) if is_long else self._usage()
        return Misuse(message + tip, usage)

    def _usage(self) -> str:
        has_more = any(self._is_told(option) for option in self._options if not option.is_required)
        options = ["[OPTIONS]"] if has_more else []
        return f"{self._name} {self._with_required(options, options_first=True)}"

    def _usage_so_far(self, more: Option | None = None, *, as_choices: bool = False) -> str:
        """With the options that were given in place of all, or each with what it excludes."""
        given = self._given_options() + ([more] if more else [])
        is_begun = given or any(each.name in self._given for each in self._arguments)
        if as_choices:  # these stand behind the others
            given.sort(key=lambda option: option.is_either)
        tell = self._choice if as_choices else attrgetter("usage")
        used = dict.fromkeys(tell(option) for option in given if not option.is_required)
        return f"{self._name} {self._with_required(list(used))}" if is_begun else self._usage()

    def _choice(self, option: Option) -> str:
        """Return how an option is written, with the other one that can stand in its place."""
        others = (each for each in self._options if each.name in option.conflicts_with)
        other = next(others, None) if option.is_either else None
        if other is None:
            return option.usage
        return f"<{'|'.join(sorted((option.usage, other.usage)))}>"

    def _with_required(self, used: list[str], *, options_first: bool = False) -> str:
        required = [option.usage for option in self._options if option.is_required]
        options = [*used, *required] if options_first else [*required, *used]
        return " ".join([*options, *(f"<{each.metavar}>" for each in self._arguments)])


def _lacks_value(option: Option) -> Misuse:
    message = f"a value is required for '{option.usage}' but none was supplied"
    return Misuse(message + option.choices)


def _likeness(one: str, other: str) -> float:
    """Return how alike two words are, from 0 to 1, by Jaro's measure."""
    reach = max(0, max(len(one), len(other)) // 2 - 1)
    taken = [False] * len(other)
    matches = []
    for at, letter in enumerate(one):
        for place in range(max(0, at - reach), min(len(other), at + reach + 1)):
            if not taken[place] and other[place] == letter:
                taken[place] = True
                matches.append(letter)
                break
    if not matches:
        return 0.0
    in_other = [letter for letter, is_taken in zip(other, taken, strict=True) if is_taken]
    swapped = sum(a != b for a, b in zip(matches, in_other, strict=True)) / 2
    count = len(matches)
    return (count / len(one) + count / len(other) + (count - swapped) / count) / 3
