"""A report as plain data, for programs: the same sentences, tables and sources as on the page."""

from __future__ import annotations

from typing import Any

from opportune.clock import format_instant
from opportune.reports.report import Report, Table, plain


def data(report: Report) -> dict[str, Any]:
    """Return a report as JSON has it; `numbers` say which source each number of a sentence or table comes from."""
    return {
        "name": report.name, "title": report.title, "period": report.period, "asOf": format_instant(report.as_of),
        "version": report.version, "catalog": report.catalog,
        "sections": [
            {
                "id": section.id, "title": section.title, "sentences": [plain(one) for one in section.sentences],
                "following": section.following, "tables": [_table(table) for table in section.tables],
                "plots": [plot.says for plot in section.plots],
            }
            for section in report.sections
        ],
        "numbers": [{"text": number.text, "source": number.source} for number in report.numbers()],
        "sources": [
            {
                "id": source.id, "title": source.title, "file": source.file, "sha256": source.sha256,
                "sql": source.sql, "parameters": [[*pair] for pair in source.parameters],
                "version": source.version, "from": source.span[0], "to": source.span[1],
                "experiment": source.experiment,
            }
            for source in report.sources
        ],
    }  # fmt: skip


def _table(table: Table) -> dict[str, Any]:
    return {
        "caption": table.caption, "columns": [column.title for column in table.columns],
        "rows": [[plain(cell) for cell in row] for row in table.rows],
    }  # fmt: skip
