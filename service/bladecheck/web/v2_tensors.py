"""Tensors as the Open Inference Protocol v2 carries them: as JSON, or in its binary extension."""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bladecheck.web.http_errors import BadTensor

Pixels = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32] | list[bytes]
BINARY_SIZE = "binary_data_size"


class InputTensor(BaseModel):
    """One input: `data` in JSON, or `parameters.binary_data_size` bytes after the JSON."""

    name: str
    shape: list[int] = Field(max_length=8)
    datatype: str
    parameters: dict[str, Any] = {}
    data: Any = None


class OutputWish(BaseModel):
    """An output that the client asks for."""

    name: str
    parameters: dict[str, Any] = {}


class InferenceRequest(BaseModel):
    """The JSON part of a request."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = None
    parameters: dict[str, Any] = {}
    inputs: list[InputTensor] = Field(min_length=1)
    outputs: list[OutputWish] | None = None


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One output: FP32 values of any shape, or a list of byte strings (BYTES, shape [n])."""

    name: str
    values: Values

    @property
    def shape(self) -> list[int]:
        return [len(self.values)] if isinstance(self.values, list) else list(self.values.shape)

    @property
    def datatype(self) -> str:
        return "BYTES" if isinstance(self.values, list) else "FP32"


def parse(body: bytes, header_length: str | None) -> tuple[InferenceRequest, list[bytes | None]]:
    """Split a request's body into its JSON part and the raw bytes of each input (None where the data is in the JSON).

    Raises:
        BadTensor: if it is not a valid request.
    """
    if header_length is not None and not (header_length.isdecimal() and int(header_length) <= len(body)):
        raise BadTensor(f"Inference-Header-Content-Length is {header_length[:20]!r}; the body has {len(body)} bytes.")
    end = len(body) if header_length is None else int(header_length)
    try:
        request = InferenceRequest.model_validate(json.loads(body[:end]))
    except ValidationError as error:
        first = error.errors()[0]
        raise BadTensor(f"{'.'.join(map(str, first['loc'])) or 'request'}: {first['msg']}.") from error
    except (ValueError, RecursionError) as error:
        raise BadTensor("The request is not valid JSON.") from error
    blobs: list[bytes | None] = []
    for tensor in request.inputs:
        size = tensor.parameters.get(BINARY_SIZE)
        if size is None:
            blobs.append(None)
            continue
        if not isinstance(size, int) or not 0 <= size <= len(body) - end:
            raise BadTensor(f"Input {tensor.name!r}: {BINARY_SIZE} is {size!r}; {len(body) - end} bytes are left.")
        blobs.append(body[end : end + size])
        end += size
    if header_length is not None and end != len(body):
        raise BadTensor(f"{len(body) - end} bytes follow the last input.")
    return request, blobs


def pixels(tensor: InputTensor, blob: bytes | None) -> Pixels:
    """A UINT8 tensor [n, height, width, 3].

    Raises:
        BadTensor: if type, shape or data don't fit.
    """
    if tensor.datatype != "UINT8" or len(tensor.shape) != 4 or tensor.shape[3] != 3 or min(tensor.shape) < 1:
        raise BadTensor(f"{tensor.name} is {tensor.datatype} {tensor.shape}; it must be UINT8 [n, height, width, 3].")
    values = _listed(tensor) if blob is None else np.frombuffer(blob, np.uint8)
    if values.size != math.prod(tensor.shape):
        raise BadTensor(f"{tensor.name} has {values.size} values; its shape {tensor.shape} needs another number.")
    return values.reshape(tensor.shape)


def _listed(tensor: InputTensor) -> Pixels:
    try:
        values = np.asarray(tensor.data)
    except (ValueError, OverflowError) as error:
        raise BadTensor(f"{tensor.name}: data is not a regular list of numbers.") from error
    if values.dtype.kind not in "iu" or (values.size and (values.min() < 0 or values.max() > 255)):
        raise BadTensor(f"{tensor.name}: data must be whole numbers from 0 to 255.")
    return values.astype(np.uint8).ravel()


def strings(tensor: InputTensor, blob: bytes | None) -> list[bytes]:
    """A BYTES tensor [n]: pictures as raw bytes (binary extension), or base64 (JSON, or content_type "base64").

    Raises:
        BadTensor: if type, shape or data don't fit.
    """
    if tensor.datatype != "BYTES" or len(tensor.shape) not in (1, 2) or math.prod(tensor.shape) != max(tensor.shape):
        raise BadTensor(f"{tensor.name} is {tensor.datatype} {tensor.shape}; it must be BYTES [n] or [n, 1].")
    encoded = tensor.parameters.get("content_type") == "base64" or blob is None
    found = _unpacked(tensor.name, blob) if blob is not None else _texts(tensor)
    if len(found) != math.prod(tensor.shape):
        raise BadTensor(f"{tensor.name} has {len(found)} elements; its shape is {tensor.shape}.")
    try:
        return [base64.b64decode(item, validate=True) for item in found] if encoded else found
    except binascii.Error as error:
        raise BadTensor(f"{tensor.name}: an element is not valid base64.") from error


def _texts(tensor: InputTensor) -> list[bytes]:
    items = tensor.data if isinstance(tensor.data, list) else []
    flat = [inner for item in items for inner in (item if isinstance(item, list) else [item])]
    if not all(isinstance(item, str) for item in flat):
        raise BadTensor(f"{tensor.name}: data must be a list of base64 strings.")
    return [item.encode() for item in flat]


def _unpacked(name: str, blob: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(blob):
        if at + 4 > len(blob) or at + 4 + (size := struct.unpack_from("<I", blob, at)[0]) > len(blob):
            raise BadTensor(f"{name}: the binary data ends within an element.")
        found.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def respond(head: dict[str, Any], outputs: Sequence[tuple[OutputTensor, bool]]) -> tuple[bytes, int | None]:
    """The body of an answer; each output with whether it goes in binary.

    Returns the bytes, and the length of the JSON part if anything follows it.
    """
    described, blobs = [], []
    for output, binary in outputs:
        entry: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
        if binary:
            blobs.append(_packed(output))
            entry["parameters"] = {BINARY_SIZE: len(blobs[-1])}
        elif isinstance(output.values, list):
            entry["data"] = [item.decode() for item in output.values]
        else:
            entry["data"] = [float(value) for value in output.values.ravel()]
        described.append(entry)
    header = json.dumps({**head, "outputs": described}).encode()
    return header + b"".join(blobs), len(header) if blobs else None


def _packed(output: OutputTensor) -> bytes:
    if isinstance(output.values, list):
        return b"".join(struct.pack("<I", len(item)) + item for item in output.values)
    return output.values.astype("<f4").tobytes()
