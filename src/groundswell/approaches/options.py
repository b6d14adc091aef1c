"""The options of a compared row: each has a default, a kind and bounds; what is not there, or out of bounds, is refused.

Reads and writes nothing. A family says what it takes as ``{"C": Option(4.0, above=0), …}`` and asks `taken` for the values of a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from groundswell.errors import ParamsError, nearest
from groundswell.params import CompareRow

Value = float | int | str | bool


@dataclass(frozen=True)
class Option:
    """A default, which gives the kind, and what a value must keep: at least ``least``, at most ``most``, more than ``above``, one of ``choices``."""

    default: Value
    least: float | None = None
    most: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()

    def refusal(self, value: Value) -> str:
        """What was expected, where ``value`` will not do; empty where it will."""
        kind = type(self.default)
        is_of_kind = type(value) is kind or (kind is float and type(value) is int)
        if not is_of_kind:
            return {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}[kind]
        if self.choices and value not in self.choices:
            return " or ".join(self.choices)
        if self.least is not None and value < self.least:
            return f"{self.least} or more"
        if self.most is not None and value > self.most:
            return f"{self.most} or less"
        if self.above is not None and not value > self.above:
            return f"more than {self.above}"
        return ""


def taken(row: CompareRow, *known: Mapping[str, Option]) -> dict[str, Value]:
    """Every option of ``known`` with its value in ``row``, or its default.

    `ParamsError` for a name that is not in ``known``, with the nearest that is, and for a value that its option does not allow.
    """
    options = {name: option for part in known for name, option in part.items()}
    for name, value in row.options.items():
        where = f"compare.rows: {row.name}: option {name!r}"
        if name not in options:
            raise ParamsError(f"{where} is none of {row.features} and {row.model}{nearest(name, options)}")
        if expected := options[name].refusal(value):
            raise ParamsError(f"{where}: expected {expected}, found {value!r}")
    return {name: type(option.default)(row.options.get(name, option.default)) for name, option in options.items()}
