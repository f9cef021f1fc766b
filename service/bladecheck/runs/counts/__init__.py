"""Totals that stand up: a random sample of a run's pictures, labels by people, and exact intervals. Needs scipy."""
