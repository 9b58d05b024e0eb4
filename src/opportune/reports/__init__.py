"""REPORTS: what people are told by day and by week. Pure: tables come in, the same pages come out, to the byte."""
