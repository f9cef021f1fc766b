"""Plain FastAPI: a `def` endpoint, which Starlette runs in its thread pool."""

import os
import sys
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, File

from bladecheck import Classifier
from bladecheck.core.result import classify_bytes

app = FastAPI()
classifier = Classifier.open(os.environ["BUNDLE"], threads=int(os.environ.get("THREADS", "1")))


@app.post("/predict")
def predict(file: Annotated[bytes, File()]) -> dict[str, Any]:
    return classify_bytes(file, classifier)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False)
