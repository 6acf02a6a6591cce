// The API's description, drawn from /openapi.json.

import { html, render, useEffect, useState } from "../vendor/preact-htm.js";
import "./theme.js";

function follow(document, schema) {
  if (!schema || !schema.$ref) return schema || {};
  return document.components.schemas[schema.$ref.split("/").pop()] || {};
}

function kind(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(kind).join(" | ");
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.type === "array") return `${kind(schema.items || {})}[]`;
  if (schema.type === "object") return schema.additionalProperties ? `{name: ${kind(schema.additionalProperties)}}` : "object";
  return [schema.type, schema.format].filter(Boolean).join(" ") || "any";
}

function example(document, schema, depth = 0) {
  const plain = follow(document, schema);
  if (plain.default !== undefined && plain.default !== null) return plain.default;
  if (plain.enum) return plain.enum[0];
  if (plain.anyOf) return example(document, plain.anyOf.find((s) => s.type !== "null") || {}, depth);
  if (plain.type === "object" || plain.properties) {
    if (depth > 3) return {};
    return Object.fromEntries(Object.entries(plain.properties || {}).map(([name, inner]) => [name, example(document, inner, depth + 1)]));
  }
  if (plain.type === "array") return depth > 3 ? [] : [example(document, plain.items || {}, depth + 1)];
  return { integer: 0, number: 0, boolean: false, string: plain.format === "decimal" ? "0.0" : "text" }[plain.type] ?? null;
}

function Fields({ document, schema }) {
  const plain = follow(document, schema);
  const required = new Set(plain.required || []);
  return html`<dl class="fields">${Object.entries(plain.properties || {}).map(
    ([name, inner]) => html`<dt>${name}${required.has(name) ? " *" : ""}</dt><dd class="muted">${kind(inner)}</dd><dd class="muted">${inner.default !== undefined && inner.default !== null ? `default ${JSON.stringify(inner.default)}` : ""} ${inner.pattern || ""}</dd>`,
  )}</dl>`;
}

function Operation({ document, path, method, operation }) {
  const [opened, setOpened] = useState(false);
  const body = operation.requestBody && operation.requestBody.content["application/json"].schema;
  const [status, good] = Object.entries(operation.responses).find(([code]) => code.startsWith("2"));
  const answer = good.content["application/json"];
  return html`<details onToggle=${(event) => setOpened(event.target.open)}>
    <summary><span class="method ${method}">${method.toUpperCase()}</span><code>${path}</code><span class="muted">${operation.summary}</span></summary>
    ${opened && html`<div class="body">
      <p><${Text} text=${operation.description} /></p>
      ${operation.parameters && html`<h3>Parameters</h3><dl class="fields">${operation.parameters.map((p) => html`<dt>${p.name}${p.required ? " *" : ""}</dt><dd class="muted">${p.in} · ${kind(p.schema)}</dd><dd class="muted">${p.schema.default !== undefined && p.schema.default !== null ? `default ${p.schema.default}` : ""} ${p.schema.pattern || ""}</dd>`)}</dl>`}
      ${body && html`<h3>Body</h3><${Fields} document=${document} schema=${body} /><pre>${JSON.stringify(example(document, body), null, 2)}</pre>`}
      ${answer && html`<h3>Answer ${status}</h3><pre>${JSON.stringify(example(document, answer.schema), null, 2)}</pre>`}
      <h3>Refusals</h3><p class="muted">${Object.entries(operation.responses).filter(([code]) => !code.startsWith("2")).map(([code, r]) => `${code} ${r.description}`).join(" · ")}</p>
    </div>`}
  </details>`;
}

// What stands between backticks is code.
const Text = ({ text }) => (text || "").split("`").map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));

function Docs() {
  const [document, setDocument] = useState(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    fetch("/openapi.json").then((a) => a.json()).then(setDocument, (e) => setProblem(String(e)));
  }, []);
  if (problem) return html`<p class="down">${problem}</p>`;
  if (!document) return html`<p class="boot">…</p>`;
  const tags = new Map();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0];
      if (!tags.has(tag)) tags.set(tag, []);
      tags.get(tag).push({ path, method, operation });
    }
  }
  return html`<p><${Text} text=${document.info.description} /></p>${[...tags].map(([tag, rows]) => html`<h2 key=${tag}>${tag}</h2>${rows.map((row) => html`<${Operation} key=${row.method + row.path} document=${document} ...${row} />`)}`)}`;
}

const main = document.getElementById("docs");
main.replaceChildren();
render(html`<${Docs} />`, main);
