"""Measuring a bundle on a user's own labels, and adapting one to them: numpy only, no training framework."""
