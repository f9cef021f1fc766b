"""The Open Inference Protocol v2 (KServe, Triton, MLServer clients): /v2, health, metadata and inference.

Two inputs are known, one of which is sent: `image`, BYTES [n], whole picture files; or `pixels`, UINT8 [n, h, w, 3],
decoded RGB pictures of any size. A picture that can't be read fails the request: the protocol has no partial failure.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response

from bladecheck import __version__
from bladecheck.core.bundle import Bundle
from bladecheck.core.result import Result
from bladecheck.web import uploads, v2_tensors
from bladecheck.web.disconnect import attend
from bladecheck.web.http_errors import BadTensor, NotReady, UnknownModel
from bladecheck.web.schemas import InferenceError
from bladecheck.web.v2_tensors import InferenceRequest, InputTensor, OutputTensor, Pixels
from bladecheck.web.workers import Workers

PLATFORM = "onnx_onnxv1"
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": "The protocol's error object.", "model": InferenceError}
    for status in (400, 401, 404, 408, 413, 415, 422, 429, 503)
}
MOST_JSON_BYTES = 64 * 2**20
"""Of the JSON part of a request: numbers in JSON take many times their size in memory."""
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": InferenceRequest.model_json_schema()}},
    }
}

router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"], responses=ERRORS)


def _workers(request: Request) -> Workers:
    workers: Workers = request.app.state.workers
    return workers


def _bundle(request: Request, name: str, version: str | None = None) -> Bundle:
    bundle = _workers(request).classifier.bundle
    if name != bundle.manifest.name:
        raise UnknownModel(f"No model {name!r}; this server has {bundle.manifest.name!r}.")
    if version not in (None, bundle.manifest.version):
        raise UnknownModel(f"No version {version!r} of {name}; this server has {bundle.manifest.version}.")
    return bundle


@router.get("")
async def server() -> dict[str, Any]:
    """Server metadata."""
    return {"name": "bladecheck", "version": __version__, "extensions": ["binary_tensor_data"]}


@router.get("/health/live")
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get("/health/ready")
async def ready(request: Request) -> dict[str, bool]:
    """The model answers."""
    if _workers(request).draining:
        raise NotReady("The server is shutting down.", retry_after=5)
    return {"live": True, "ready": bool(_workers(request).classifier)}


@router.get("/models/{name}")
@router.get("/models/{name}/versions/{version}")
async def metadata(request: Request, name: str, version: str | None = None) -> dict[str, Any]:
    """The model's inputs and outputs; `parameters.names` gives the order of an output's columns."""
    manifest = _bundle(request, name, version).manifest
    names = manifest.outputs
    columns = {"scores": names.labels, "blade": names.blades, "features": names.features}
    outputs = [
        {"name": key, "datatype": "FP32", "shape": [-1, len(value)], "parameters": {"names": ",".join(value)}}
        for key, value in columns.items()
    ]
    if names.evidence:
        outputs.append({"name": "evidence", "datatype": "FP32", "shape": [-1, *names.evidence]})
    outputs += [{"name": key, "datatype": "BYTES", "shape": [-1]} for key in ("decision", "result")]
    return {
        "name": manifest.name,
        "versions": [manifest.version],
        "platform": PLATFORM,
        "inputs": [
            {"name": "image", "datatype": "BYTES", "shape": [-1], "parameters": {"optional": True}},
            {"name": "pixels", "datatype": "UINT8", "shape": [-1, -1, -1, 3], "parameters": {"optional": True}},
        ],
        "outputs": outputs,
    }


@router.get("/models/{name}/ready")
@router.get("/models/{name}/versions/{version}/ready")
async def model_ready(request: Request, name: str, version: str | None = None) -> dict[str, Any]:
    """The model answers."""
    return {"name": _bundle(request, name, version).manifest.name, "ready": True}


@router.post("/models/{name}/infer", openapi_extra=BODY)
@router.post("/models/{name}/versions/{version}/infer", openapi_extra=BODY)
async def infer(request: Request, name: str, version: str | None = None) -> Response:
    """Judge the pictures of one input; all outputs are given unless some are asked for by name."""
    bundle = _bundle(request, name, version)
    _workers(request).admit()
    uploads.refuse_compressed(request)
    body, header_length = await request.body(), request.headers.get("inference-header-content-length")
    wanted, tensor, values = await attend(request, _workers(request).run(_read, body, header_length))
    most = request.app.state.settings.max_files
    if len(values) > most:
        raise BadTensor(f"{tensor.name} has {len(values)} pictures; the limit is {most}.")
    results = await attend(request, _judged(_workers(request), tensor, values))
    found = _outputs(bundle, results)
    head = {"model_name": name, "model_version": bundle.manifest.version, **({"id": wanted.id} if wanted.id else {})}
    answer, json_length = v2_tensors.respond(head, _chosen(wanted, found))
    if json_length is None:
        return Response(answer, media_type="application/json")
    headers = {"Inference-Header-Content-Length": str(json_length)}
    return Response(answer, media_type="application/octet-stream", headers=headers)


def _read(body: bytes, header_length: str | None) -> tuple[InferenceRequest, InputTensor, Pixels | list[bytes]]:
    """The request, its one input, and that input's pictures."""
    if len(body) > MOST_JSON_BYTES and header_length is None:
        raise BadTensor(f"The JSON has more than {MOST_JSON_BYTES:,} bytes; send tensors in the binary extension.")
    wanted, blobs = v2_tensors.parse(body, header_length)
    tensor = wanted.inputs[0]
    if len(wanted.inputs) != 1 or tensor.name not in ("image", "pixels"):
        names = ", ".join(item.name for item in wanted.inputs)
        raise BadTensor(f"The inputs are {names[:100]}; send one, 'image' (BYTES) or 'pixels' (UINT8).")
    return wanted, tensor, (v2_tensors.strings if tensor.name == "image" else v2_tensors.pixels)(tensor, blobs[0])


async def _judged(workers: Workers, tensor: InputTensor, values: Pixels | list[bytes]) -> list[Result]:
    if isinstance(values, list):
        results = await workers.check_all(values, evidence=True)
    else:
        results = await workers.check_pixels(values)
    for index, result in enumerate(results):
        if result["status"] == "failed":
            raise BadTensor(f"{tensor.name}[{index}]: {result['error']['detail']} ({result['error']['code']})")
    return results


def _outputs(bundle: Bundle, results: list[Result]) -> dict[str, OutputTensor]:
    names = bundle.manifest.outputs
    values: dict[str, v2_tensors.Values] = {
        key: np.array([[item[key][name] for name in columns] for item in results], np.float32)
        for key, columns in (("scores", names.labels), ("blade", names.blades), ("features", names.features))
    }
    if names.evidence:
        values["evidence"] = np.array([item["evidence"]["values"] for item in results], np.float32)
    values["decision"] = [item["decision"].encode() for item in results]
    values["result"] = [json.dumps(item, ensure_ascii=False).encode() for item in results]
    return {name: OutputTensor(name, value) for name, value in values.items()}


def _chosen(wanted: InferenceRequest, found: dict[str, OutputTensor]) -> list[tuple[OutputTensor, bool]]:
    binary = wanted.parameters.get("binary_data_output") is True
    if not wanted.outputs:
        return [(output, binary) for output in found.values()]
    if unknown := [wish.name for wish in wanted.outputs if wish.name not in found]:
        raise BadTensor(f"No output {unknown[0][:60]!r}; known: {', '.join(found)}.")
    return [(found[wish.name], wish.parameters.get("binary_data", binary) is True) for wish in wanted.outputs]
