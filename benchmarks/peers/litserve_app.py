"""LitServe: one worker process a core, one session each."""

import os
import sys
from typing import Any

import litserve
from fastapi import Request

from bladecheck import Classifier
from bladecheck.core.result import classify_bytes


class Api(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.classifier = Classifier.open(os.environ["BUNDLE"])

    def decode_request(self, request: Request) -> bytes:  # LitServe hands over the parsed form
        return request["file"].file.read()  # type: ignore[index]

    def predict(self, data: bytes) -> dict[str, Any]:
        return classify_bytes(data, self.classifier)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=os.cpu_count() or 1)
    server.run(port=int(sys.argv[1]), num_api_servers=1, log_level="warning", generate_client_file=False)
