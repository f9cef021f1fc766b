"""Bladecheck tells whether a photo shows knife imagery.

from bladecheck import Classifier
classifier = Classifier.open()
verdict = classifier.classify_one(classifier.load(open("photo.jpg", "rb").read()))
print(verdict.decision, verdict.scores.labels["knife"])
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Classifier", "__version__"]

if TYPE_CHECKING:
    from bladecheck.core.classifier import Classifier


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `bladecheck --help` and the archive readers don't wait for onnxruntime.
    if name == "Classifier":
        from bladecheck.core.classifier import Classifier

        return Classifier
    raise AttributeError(f"module 'bladecheck' has no attribute {name!r}")
