"""CONDITIONS: SQL text -> checked, typed tree -> Python, DuckDB and Spark. Knows no marketing word."""

from opportune.rules.expression import Expression
from opportune.rules.layout import Kind, Layout, Name, Row, Value
from opportune.rules.parse import parse

__all__ = ["Expression", "Kind", "Layout", "Name", "Row", "Value", "parse"]
