"""Requests made from the OpenAPI document, valid and not: no 500, and no answer that the document does not describe."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import BaseSchema, Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from serving import Running

EXAMPLES = 12
NEED_A_PICTURE = {
    "POST /v1/redact",
    "POST /v2/models/{name}/infer",
    "POST /v2/models/{name}/versions/{version}/infer",
}
"""They refuse bytes that are no picture, which a schema can't say; classify takes any bytes, as a failed result."""


@pytest.fixture(scope="module")
def document(server: Running) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_described(document: BaseSchema, mode: GenerationMode) -> None:
    covered = []
    for found in document.get_all_operations():
        operation = found.ok()
        covered.append(operation.label)
        try:
            check(operation.as_strategy(generation_mode=mode), operation.label)
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, "an operation without any input has no invalid one"
    assert {"POST /v1/classify", "POST /v1/redact", "GET /v1/model", "POST /v2/models/{name}/infer"} <= set(covered)


def check(cases: SearchStrategy[Case], label: str) -> None:
    excluded = [positive_data_acceptance] if label in NEED_A_PICTURE else []

    @given(case=cases)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def one(case: Case) -> None:
        case.call_and_validate(timeout=30, excluded_checks=excluded)

    one()
