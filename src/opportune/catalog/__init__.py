"""MAY SAY: the YAML folder of a company -> a frozen, hashed `Catalog`, or every mistake at once."""

from opportune.catalog.build import check, from_bytes, from_data, load, to_bytes, to_data
from opportune.catalog.types import Catalog

__all__ = ["Catalog", "check", "from_bytes", "from_data", "load", "to_bytes", "to_data"]
