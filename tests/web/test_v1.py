"""The JSON API, over a real connection."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bladecheck.core import result
from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from bladecheck.web.schemas import Answer, Failed, Judged, ModelCard, Problem
from serving import Running
from tiny import BLUE, GREEN, RED, draw, encode

RED_PNG, BLUE_PNG, GREEN_JPG = encode(draw(RED)), encode(draw(BLUE)), encode(draw(GREEN), "JPEG")


def form(*pictures: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", (f"holiday-{index}.jpg", data)) for index, data in enumerate(pictures)]


def test_one_result_per_part_in_order_and_failures_are_results(http: httpx2.Client) -> None:
    answer = http.post("/v1/classify", files=form(RED_PNG, b"no picture", BLUE_PNG, b"", GREEN_JPG))
    assert answer.status_code == 200
    body = answer.json()
    assert [item["decision"] for item in body["results"]] == ["hold", "cannot_judge", "check", "cannot_judge", "clear"]
    assert [item.get("error", {}).get("code") for item in body["results"]] == [
        None,
        "not_an_image",
        None,
        "empty",
        None,
    ]
    assert body["model"] == body["results"][0]["model"]
    assert body["policy"] == {"name": "default", "sha256": find().sha256}


def assert_close(left: Any, right: Any) -> None:
    """Equal, with numbers to 1e-6."""
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_close(left[key], right[key])
    else:
        assert left == (pytest.approx(right, abs=1e-6) if isinstance(right, float) else right)


def test_the_answer_is_what_the_library_says(http: httpx2.Client, classifier: Classifier) -> None:
    for data in (RED_PNG, GREEN_JPG, b"\xff\xd8\xff broken"):
        expected = result.classify_bytes(data, classifier, find())
        raw = http.post("/v1/classify", content=data, headers={"Content-Type": "image/jpeg"})
        for answer in (http.post("/v1/classify", files=form(data)), raw):
            assert len(answer.json()["results"]) == 1
            assert_close(answer.json()["results"][0], expected)


@pytest.mark.parametrize("evidence", [False, True])
def test_schemas_match_results_key_for_key(classifier: Classifier, evidence: bool) -> None:
    judged = result.classify_bytes(RED_PNG, classifier, evidence=evidence)
    assert Judged.model_validate(judged, strict=True).model_dump(exclude_unset=True) == judged
    assert set(Judged.model_fields) - set(judged) <= {"evidence", "video"}
    failed = result.classify_bytes(b"x", classifier, evidence=evidence)
    assert Failed.model_validate(failed, strict=True).model_dump() == failed


def test_evidence_only_if_asked_for(http: httpx2.Client) -> None:
    plain = http.post("/v1/classify", files=form(RED_PNG)).json()["results"][0]
    mapped = http.post("/v1/classify?evidence=map", files=form(RED_PNG)).json()["results"][0]
    assert "evidence" not in plain
    grid = mapped.pop("evidence")
    assert (grid["rows"], grid["columns"], len(grid["values"]), len(grid["values"][0])) == (4, 4, 4, 4)
    assert mapped == plain
    assert http.post("/v1/classify?evidence=yes", files=form(RED_PNG)).status_code == 422


def test_the_document_describes_the_answer(http: httpx2.Client) -> None:
    Answer.model_validate(http.post("/v1/classify?evidence=map", files=form(RED_PNG, b"")).json(), strict=True)
    ModelCard.model_validate(http.get("/v1/model").json(), strict=True)


def test_model_has_an_etag(http: httpx2.Client, classifier: Classifier) -> None:
    first = http.get("/v1/model")
    assert first.json()["sha256"] == classifier.bundle.sha256
    assert first.json()["card"]["schema"] == "bladecheck-bundle/2"
    again = http.get("/v1/model", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert http.get("/v1/model", headers={"If-None-Match": '"other"'}).status_code == 200


def test_health_and_headers(http: httpx2.Client, classifier: Classifier) -> None:
    assert http.get("/healthz").json() == http.get("/readyz").json() == {"status": "ok"}
    named = http.get("/healthz", headers={"X-Request-ID": "from-a-proxy.1"})
    assert named.headers["X-Request-ID"] == "from-a-proxy.1"
    odd = http.get("/healthz", headers={"X-Request-ID": "a b{}" * 50})
    assert len(odd.headers["X-Request-ID"]) == 32
    assert named.headers["X-Model-Version"] == f"tiny/1.0.0+{classifier.bundle.sha256[:12]}"
    assert named.headers["Cache-Control"] == "no-store"


MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"content": b"garbage", "headers": MULTIPART}, 400, "bad_multipart"),
    ({"content": b"--x\r\nContent-Disposition: form-data; name=", "headers": MULTIPART}, 400, "bad_multipart"),
    (
        {
            "content": b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + RED_PNG[:-20],
            "headers": MULTIPART,
        },
        400,
        "bad_multipart",
    ),
    ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "bad_multipart"),
    ({"content": b"--x--\r\n", "headers": MULTIPART}, 422, "bad_input"),
    ({"content": b"{}", "headers": {"Content-Type": "application/json"}}, 415, "unsupported_media_type"),
    ({"content": b"x"}, 415, "unsupported_media_type"),
    ({}, 415, "unsupported_media_type"),
    ({"files": [("picture", ("a.png", RED_PNG))]}, 422, "bad_input"),
    ({"files": [("file", (None, "text"))]}, 422, "bad_input"),
    ({"files": form(*[b"x"] * 65)}, 413, "too_many_pictures"),
]


@pytest.mark.parametrize(("request_parts", "status", "code"), REFUSED, ids=lambda value: str(value)[:40])
def test_refusals_are_problems(http: httpx2.Client, request_parts: dict[str, Any], status: int, code: str) -> None:
    answer = http.post("/v1/classify", **request_parts)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = Problem.model_validate(answer.json())
    assert (answer.status_code, problem.status, problem.code) == (status, status, code)
    assert problem.instance == "/v1/classify"


def test_unknown_routes_and_methods_are_problems(http: httpx2.Client) -> None:
    assert http.get("/v1/nothing").json()["code"] == "not_found"
    wrong = http.delete("/v1/classify")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


def test_as_many_pictures_as_allowed(http: httpx2.Client) -> None:
    answer = http.post("/v1/classify", files=form(*[RED_PNG, GREEN_JPG] * 32))
    assert [item["decision"] for item in answer.json()["results"]] == ["hold", "clear"] * 32


def test_docs_work_offline_and_without_inline_script(http: httpx2.Client) -> None:
    page = http.get("/docs")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    for piece in page.text.split("<script")[1:]:
        assert piece.split(">")[1].startswith("</script"), "no inline script"
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        file = http.get(f"/docs/files/{name}")
        assert file.status_code == 200
        assert name in page.text
        assert "sourceMappingURL" not in file.text[-2000:]


def test_counts_and_times_are_shown(server: Running) -> None:
    with server.client() as http:
        http.post("/v1/classify", files=form(RED_PNG, b"nothing"))
        http.post("/v1/classify", content=b"x")
        text = http.get("/metrics").text
    for wanted in (
        'bladecheck_requests_total{method="POST",route="/v1/classify",status="200"}',
        'bladecheck_decisions_total{decision="hold"}',
        'bladecheck_failures_total{code="not_an_image"}',
        'bladecheck_problems_total{code="unsupported_media_type"}',
        'bladecheck_stage_seconds_count{stage="decode"}',
        'bladecheck_stage_seconds_count{stage="judge"}',
        "bladecheck_queue_pictures 0.0",
        'bladecheck_model_info{name="tiny"',
        "bladecheck_inflight_bytes 0.0",
    ):
        assert wanted in text
