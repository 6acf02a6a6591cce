"""The OpenAPI document: valid, complete, and free of dangling references."""

import json
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.web.fakes import a_web
from web.openapi import document, path_names
from web.routes import ROUTES


def the_document() -> dict[str, Any]:
    return document(ROUTES, version="0.1.0")


def test_the_document_is_valid_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(the_document()).validate()


def test_every_route_is_described_with_its_scope() -> None:
    told = the_document()
    for route in ROUTES:
        operation = told["paths"][route.path][route.method.lower()]
        assert (operation["security"] == []) == (route.scope is None)
        assert str(route.status) in operation["responses"]
        assert [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"] == path_names(route.path)


def test_operation_ids_are_unique() -> None:
    told = the_document()
    ids = [operation["operationId"] for path in told["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def test_no_reference_dangles() -> None:
    text = json.dumps(the_document())
    names = set(the_document()["components"]["schemas"])
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= names


async def test_the_document_is_served_to_anybody() -> None:
    async with a_web().client(None) as client:
        answer = await client.get("/openapi.json")
        assert answer.status_code == 200
        assert answer.json() == json.loads(json.dumps(the_document()))
