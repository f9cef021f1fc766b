"""One run over an archive: rows, journal, resuming, exports, the report, and totals with intervals."""
