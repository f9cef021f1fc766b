"""One run over an archive: rows, journal, resuming, totals, exports and the report."""
