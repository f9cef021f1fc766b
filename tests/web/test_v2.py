"""The Open Inference Protocol, with the client that its users have."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from bladecheck.core import result
from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from serving import Running
from tiny import BLUE, GREEN, RED, draw, encode

PIXELS = np.stack([np.asarray(draw(colour)) for colour in (RED, BLUE, GREEN)])
FILES = np.array([encode(draw(colour)) for colour in (RED, BLUE, GREEN)], dtype=object)
DECISIONS = ["hold", "check", "clear"]


@pytest.fixture
def client(server: Running) -> Iterator[triton.InferenceServerClient]:
    made = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield made
    made.close()


def tensor(name: str, datatype: str, values: Any, *, binary: bool) -> triton.InferInput:
    made = triton.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def test_health_and_metadata(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tiny")
    assert client.is_model_ready("tiny", "1.0.0")
    assert not client.is_model_ready("tiny", "9.9.9")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = client.get_model_metadata("tiny", "1.0.0")
    assert metadata["platform"] == "onnx_onnxv1"
    assert [entry["name"] for entry in metadata["inputs"]] == ["image", "pixels"]


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_pixels(client: triton.InferenceServerClient, classifier: Classifier, binary: bool) -> None:
    answer = client.infer("tiny", [tensor("pixels", "UINT8", PIXELS, binary=binary)], request_id="seven")
    expected = [result.classify_bytes(data, classifier, find())["scores"] for data in FILES]
    assert answer.get_response()["id"] == "seven"
    assert [item.decode() for item in answer.as_numpy("decision")] == DECISIONS
    assert answer.as_numpy("scores") == pytest.approx(np.array([list(item.values()) for item in expected]), abs=1e-6)
    assert answer.as_numpy("evidence").shape == (3, 4, 4)
    wanted = [triton.InferRequestedOutput(name, binary_data=False) for name in ("decision", "blade")]
    answer = client.infer("tiny", [tensor("pixels", "UINT8", PIXELS, binary=binary)], outputs=wanted)
    assert list(answer.as_numpy("decision")) == DECISIONS
    assert answer.as_numpy("blade").sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert answer.as_numpy("scores") is None


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "base64"])
def test_picture_files(client: triton.InferenceServerClient, classifier: Classifier, binary: bool) -> None:
    values = FILES if binary else np.array([base64.b64encode(data) for data in FILES], dtype=object)
    answer = client.infer("tiny", [tensor("image", "BYTES", values, binary=binary)], model_version="1.0.0")
    assert [item.decode() for item in answer.as_numpy("decision")] == DECISIONS
    for data, text in zip(FILES, answer.as_numpy("result"), strict=True):
        expected = result.classify_bytes(data, classifier, find(), evidence=True)
        assert json.loads(text) == expected


def test_what_goes_wrong_is_the_protocols_error(client: triton.InferenceServerClient) -> None:
    cases = [
        (
            "tiny",
            tensor("image", "BYTES", np.array([FILES[0], b"text"], dtype=object), binary=True),
            r"image\[1\].*not_an",
        ),
        ("tiny", tensor("other", "BYTES", FILES, binary=True), "send one"),
        ("tiny", tensor("pixels", "UINT8", PIXELS[..., :2], binary=True), "pixels is UINT8"),
        ("tiny", tensor("pixels", "FP32", PIXELS.astype(np.float32), binary=True), "pixels is FP32"),
        ("other", tensor("image", "BYTES", FILES, binary=True), "No model 'other'"),
    ]
    for model, given, message in cases:
        with pytest.raises(InferenceServerException, match=message):
            client.infer(model, [given])


def request(**changes: Any) -> dict[str, Any]:
    given = {"name": "pixels", "shape": [1, 1, 1, 3], "datatype": "UINT8", "data": [1, 2, 3], **changes}
    return {"inputs": [given]}


BAD: list[tuple[bytes, dict[str, str]]] = [
    (b"", {}),
    (b"{", {}),
    (b"[" * 100_000, {}),
    (b'{"inputs": []}', {}),
    (json.dumps(request(data=[1, 2])).encode(), {}),
    (json.dumps(request(data=[1, 2, 300])).encode(), {}),
    (json.dumps(request(data=[1, 2, -1])).encode(), {}),
    (json.dumps(request(data=[1, 2, 0.5])).encode(), {}),
    (json.dumps(request(data=[[1, 2], 3])).encode(), {}),
    (json.dumps(request(data=[1, 2, 10**30])).encode(), {}),
    (json.dumps(request(data=None)).encode(), {}),
    (json.dumps(request(shape=[0, 1, 1, 3], data=[])).encode(), {}),
    (json.dumps(request(shape=[-1, -1, 1, 3])).encode(), {}),
    (json.dumps(request(shape=[2**40, 2**40, 1, 3])).encode(), {}),
    (json.dumps(request(name="image", datatype="BYTES", shape=[1], data=["%%%"])).encode(), {}),
    (json.dumps(request(name="image", datatype="BYTES", shape=[2], data=["AAAA"])).encode(), {}),
    (json.dumps(request(name="image", datatype="BYTES", shape=[1], data=[7])).encode(), {}),
    (json.dumps(request(parameters={"binary_data_size": 10**12})).encode(), {"Inference-Header-Content-Length": "5"}),
    (json.dumps(request(parameters={"binary_data_size": "3"})).encode(), {}),
    (b"{}", {"Inference-Header-Content-Length": "-5"}),
    (b"{}", {"Inference-Header-Content-Length": "99"}),
    (json.dumps(request()).encode() + b"tail", {"Inference-Header-Content-Length": str(len(json.dumps(request())))}),
    (json.dumps({**request(), "outputs": [{"name": "nothing"}]}).encode(), {}),
]


@pytest.mark.parametrize(("body", "headers"), BAD, ids=range(len(BAD)))
def test_bad_requests_are_400(http: httpx2.Client, body: bytes, headers: dict[str, str]) -> None:
    answer = http.post("/v2/models/tiny/infer", content=body, headers=headers)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}


def test_a_truncated_binary_element_is_refused(http: httpx2.Client) -> None:
    blob = struct.pack("<I", 100) + b"short"
    given = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(blob)}}
    head = json.dumps({"inputs": [given]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = http.post("/v2/models/tiny/infer", content=head + blob, headers=headers)
    assert (answer.status_code, "ends within" in answer.json()["error"]) == (400, True)


def test_health_shapes(http: httpx2.Client) -> None:
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").json() == {"live": True, "ready": True}
    assert http.get("/v2/models/nothing").json().keys() == {"error"}
    assert http.get("/v2/nothing").json().keys() == {"error"}
