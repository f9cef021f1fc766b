"""What data files hold: JSON, JSON lines, tables, workbooks; column guesses and plain values."""
