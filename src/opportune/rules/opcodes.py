"""What the numbers in a program's table mean; `kernel.py` and `program.py` share them."""

from __future__ import annotations

TRUE, FALSE, NULL = 1, 2, 3
YES, NO = -1, -2

# Comparisons are masks over the three ways in which x can stand to y: 1 less, 2 equal, 4 more.
LESS, EQUAL, AT_MOST = 1, 2, 3
IS_NULL, AMONG, AMONG_OR_NULL, GIVEN = range(8, 12)

ADD, SUBTRACT, MULTIPLY, DIVIDE, MODULO, NEGATE, FINITE = range(7)
ABS, ROUND, FLOOR, CEIL, SQRT, LEAST, GREATEST, COALESCE, NULLIF = range(7, 16)

OPERATORS = {
    "+": ADD, "-": SUBTRACT, "*": MULTIPLY, "/": DIVIDE, "%": MODULO, "abs": ABS, "round": ROUND, "floor": FLOOR,
    "ceil": CEIL, "sqrt": SQRT, "least": LEAST, "greatest": GREATEST, "coalesce": COALESCE, "nullif": NULLIF,
}
