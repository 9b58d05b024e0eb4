"""Tables and figures over the wire: requests and answers, and what the client of a hub can ask for."""

from __future__ import annotations

from typing import Any

import msgspec

from opportune.wire.calling import Calling, given, quoted


class TablesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Export the ledger into a `folder` of the machine that serves; `since` begins it anew with what came later."""

    folder: str
    since: str | None = None


class TablesInfo(msgspec.Struct, frozen=True, rename={"begin": "from"}):
    """An export: its folder, the version of its content, the facts `from` and `to`, and the rows by table."""

    folder: str
    version: str
    begin: int
    to: int
    rows: dict[str, int]


class Gauging(Calling):
    """What a client asks of tables and figures."""

    def tables(self, folder: str, since: str | None = None) -> TablesInfo:
        """Export what is new into a folder of the machine that serves; needs the token in `hub.json`."""
        return self._call("POST", "/v1/tables", TablesInfo, TablesRequest(folder, since))

    def figures(self, since: str = "", as_of: str = "") -> list[dict[str, Any]]:
        """Return the six figures; `since` and `as_of` are days, instants, or (`since`) a span such as 90d."""
        found: dict[str, Any] = self._call("GET", "/v1/figures", dict[str, Any], query=given(since=since, asOf=as_of))
        return list(found["figures"])

    def figure(self, name: str, since: str = "", as_of: str = "", by: str = "") -> dict[str, Any]:
        """Return a figure, `by` one of its dimensions. Raises `NotFound`."""
        query = given(since=since, asOf=as_of, by=by)
        return self._call("GET", f"/v1/figures/{quoted(name)}", dict[str, Any], query=query)
