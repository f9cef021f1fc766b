"""Training pipeline of Bladecheck: labelled pictures in, a checked bundle out. See docs/training.md."""
