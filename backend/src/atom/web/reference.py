"""`/docs`: every operation of the OpenAPI document on one page that loads nothing from anywhere else."""

from __future__ import annotations

import json
from functools import cache
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
summary { cursor: pointer; padding: .3rem 0; } code, pre, textarea, input { font-family: monospace; }
textarea, input { width: 100%; box-sizing: border-box; } #key, [data-in="path"] { max-width: 30rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #8883; padding: .5rem; }
pre:empty { display: none; }
.method { font-weight: bold; }
label { display: block; }
"""
SCRIPT = """
for (const form of document.querySelectorAll("form")) form.addEventListener("submit", async event => {
  event.preventDefault();
  const query = new URLSearchParams(), headers = {};
  let path = form.dataset.path;
  for (const input of form.querySelectorAll("input"))
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value && input.dataset.in === "query") query.set(input.name, input.value);
    else if (input.value && input.dataset.in === "header") headers[input.name] = input.value;
  const key = document.getElementById("key").value, body = form.querySelector("textarea");
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  const url = `${path}${query.size ? `?${query}` : ""}`;
  const answer = await fetch(url, {method: form.dataset.method, headers, body: body && body.value});
  form.querySelector("pre").textContent = `${answer.status} ${answer.statusText}\\n${await answer.text()}`;
});
"""


def add_reference(app: FastAPI) -> None:
    """Answer `/docs` with the page."""

    @cache
    def page() -> str:
        return render(app.openapi())

    @app.get("/docs", include_in_schema=False)
    async def read_reference() -> HTMLResponse:
        return HTMLResponse(page(), headers=HEADERS)


def render(document: dict[str, Any]) -> str:
    """Return the page for an OpenAPI document."""
    info = document["info"]
    operations = [
        (operation["tags"][0], method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    parts = [
        "<!doctype html>",
        f'<html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>',
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>',
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>",
        '<p>For programs: <a href="/openapi.json">/openapi.json</a>.</p>',
        '<label>API key, kept on this page only <input id="key" type="password" autocomplete="off"></label>',
    ]
    for tag, group in groupby(sorted(operations, key=lambda each: each[0]), key=lambda each: each[0]):
        parts.append(f"<h2>{escape(tag)}</h2>")
        for _, method, path, operation in group:
            parts += _operation(document, method, path, operation)
    return "\n".join([*parts, f"<script>{SCRIPT}</script></html>"])


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<details id="{escape(operation["operationId"])}"><summary>'
    yield f'<span class="method">{method}</span> <code>{escape(path)}</code> {escape(operation["summary"])}'
    yield f"</summary><p>{escape(operation['description'])}</p>"
    yield f'<form data-method="{method}" data-path="{escape(path)}">'
    for parameter in operation.get("parameters", ()):
        name, place = escape(parameter["name"]), escape(parameter["in"])
        meaning = escape(parameter.get("description", ""))
        yield f'<label><code>{name}</code> {meaning} <input name="{name}" data-in="{place}"></label>'
    if "requestBody" in operation:
        example = _example(document, operation["requestBody"]["content"]["application/json"]["schema"])
        text = escape(json.dumps(example, indent=2, ensure_ascii=False))
        yield f'<label>Body <textarea rows="{min(text.count(chr(10)) + 1, 20)}">{text}</textarea></label>'
    yield "<button>Send</button><pre></pre></form><ul>"
    for status, response in sorted(operation["responses"].items()):
        yield f"<li><code>{escape(status)}</code> {escape(response['description'])}</li>"
    yield "</ul></details>"


def _example(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """Return a value that a schema allows, or nearly: an example, the default, or one of its type."""
    if "$ref" in schema:
        return _example(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return _example(document, schema[key][0])
    if schema.get("type") == "object":
        return {name: _example(document, each) for name, each in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [_example(document, schema.get("items", {}))]
    return {"string": schema.get("format", "text"), "integer": 1, "number": 1.0, "boolean": True}.get(
        schema.get("type", ""), {}
    )
