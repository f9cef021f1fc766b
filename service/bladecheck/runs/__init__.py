"""Runs over archives: scoring, resuming, exporting, counting."""
