"""The wall: a run's pictures to look through on this machine, small and blurred, and a curated set of marks."""
