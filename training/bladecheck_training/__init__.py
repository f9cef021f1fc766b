"""Training pipeline of Bladecheck: labelled pictures in, a checked bundle out. See docs/training.md."""

import bladecheck.core.classifier  # noqa: F401  turns onnxruntime's telemetry off before anything here imports it
