"""BentoML: one worker process a core, one session each."""

import os
from pathlib import Path
from typing import Any

import bentoml

from bladecheck import Classifier
from bladecheck.core.result import classify_bytes


@bentoml.service(workers=os.cpu_count() or 1, traffic={"timeout": 60})
class Knives:
    def __init__(self) -> None:
        self.classifier = Classifier.open(os.environ["BUNDLE"])

    @bentoml.api
    def predict(self, file: Path) -> dict[str, Any]:
        return classify_bytes(file.read_bytes(), self.classifier)
