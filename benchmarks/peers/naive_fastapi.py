"""FastAPI as most examples have it: onnxruntime takes all cores for each picture."""

import os
import sys

import uvicorn

os.environ["THREADS"] = str(os.cpu_count())

from plain_fastapi import app

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False)
