"""The readers, one file for each family of formats."""
