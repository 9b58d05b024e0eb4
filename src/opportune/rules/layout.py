"""Names, their types, and the row that holds one customer's values.

A `Layout` gives each declared name a slot. A `Row` holds the values of one customer in these slots:

- `numbers`: float64, one per slot. NaN is NULL. A bool is 0 or 1, a time is its instant in microseconds (exact to
  the year 2255), a text is the code of a constant that some condition names (>= 0), or -1 for any other text.
- `texts`: the text itself per slot; None where the slot is NULL or not a text.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Value = float | str | bool | int | None


class Kind(enum.Enum):
    """The type of a name: a double without NaN or infinity, a text by code point, a bool, or an instant in UTC."""

    NUMBER = "number"
    TEXT = "text"
    BOOL = "bool"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Name:
    """A declared name and its type."""

    name: str
    kind: Kind


@dataclass(slots=True)
class Row:
    """The values of one customer at one instant; see the module's text for the layout."""

    numbers: npt.NDArray[np.float64]
    texts: list[str | None]

    def copy(self) -> Row:
        return Row(self.numbers.copy(), self.texts.copy())


class Layout:
    """The slots of the declared names, and the codes of the text constants that conditions name."""

    def __init__(self, names: Iterable[Name], constants: Iterable[str] = ()) -> None:
        self.names = tuple(names)
        self.slot = {n.name: i for i, n in enumerate(self.names)}
        self.kinds = {n.name: n.kind for n in self.names}
        self._slots = tuple((n.name, n.kind is Kind.TEXT, n.kind is Kind.BOOL) for n in self.names)
        self.codes = {text: code for code, text in enumerate(dict.fromkeys(constants))}

    def __len__(self) -> int:
        return len(self.names)

    def blank(self) -> Row:
        """Return a row in which every value is NULL."""
        return Row(np.full(len(self.names), np.nan), [None] * len(self.names))

    def row(self, values: Mapping[str, Value]) -> Row:
        """Return the row of the given values; names that are not declared are left out.

        >>> layout = Layout([Name("age", Kind.NUMBER), Name("plan", Kind.TEXT)], ["gold"])
        >>> layout.row({"age": 40, "plan": "gold"}).numbers.tolist()
        [40.0, 0.0]
        """
        codes, get = self.codes, values.get
        numbers = [math.nan] * len(self.names)
        texts: list[str | None] = [None] * len(self.names)
        for slot, (name, is_text, is_bool) in enumerate(self._slots):
            value = get(name)
            if value is None:
                continue
            if is_text:
                if isinstance(value, str):
                    numbers[slot], texts[slot] = codes.get(value, -1), value
            elif isinstance(value, bool):
                if is_bool:
                    numbers[slot] = value
            elif not is_bool and isinstance(value, (float, int)) and math.isfinite(value):
                numbers[slot] = value
        return Row(np.array(numbers, np.float64), texts)

    def recoded(self, row: Row) -> Row:
        """Return a copy of a row of another layout of the same names, with the codes of this one."""
        row = row.copy()
        for slot, (_, is_text, _) in enumerate(self._slots):
            if is_text and (text := row.texts[slot]) is not None:
                row.numbers[slot] = self.codes.get(text, -1)
        return row

    def put(self, row: Row, name: str, value: Value) -> None:
        """Set one value; a value of another type than the declared one becomes NULL."""
        slot, kind = self.slot[name], self.kinds[name]
        row.numbers[slot], row.texts[slot] = math.nan, None
        if kind is Kind.TEXT:
            if isinstance(value, str):
                row.numbers[slot], row.texts[slot] = self.codes.get(value, -1), value
        elif kind is Kind.BOOL:
            if isinstance(value, bool):
                row.numbers[slot] = float(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            row.numbers[slot] = float(value)

    def get(self, row: Row, name: str) -> Value:
        """Return one value as Python has it: float, str, bool, int (a time) or None."""
        slot, kind = self.slot[name], self.kinds[name]
        if kind is Kind.TEXT:
            return row.texts[slot]
        number = float(row.numbers[slot])
        if math.isnan(number):
            return None
        return bool(number) if kind is Kind.BOOL else int(number) if kind is Kind.TIME else number

    def values(self, row: Row) -> dict[str, Value]:
        """Return every value of a row by name."""
        return {n.name: self.get(row, n.name) for n in self.names}
