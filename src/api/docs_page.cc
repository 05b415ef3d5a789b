#include "api/docs_page.h"

namespace segments {

namespace {

// A token in the address's fragment ("/docs#token=…", which no server sees) is taken over and removed from
// the bar.
constexpr std::string_view page = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Segments: the HTTP interface</title>
<style nonce="NONCE">
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #2a6fdb; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 6rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; text-transform: capitalize; }
p { margin: .3rem 0 1rem; }
code, pre, textarea, input { font: 13px/1.45 ui-monospace, monospace; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .35rem 0; }
summary { cursor: pointer; padding: .45rem .7rem; display: flex; gap: .7rem; align-items: baseline; flex-wrap: wrap; }
summary .about { opacity: .75; }
.method { font: 700 12px ui-monospace, monospace; min-width: 4rem; color: var(--accent); }
.inside { padding: .3rem .9rem .9rem; border-top: 1px solid var(--line); }
label { display: grid; grid-template-columns: 13rem 1fr; gap: .6rem; margin: .3rem 0; align-items: center; }
label small { grid-column: 2; opacity: .7; margin-top: -.3rem; }
input, textarea { width: 100%; box-sizing: border-box; padding: .3rem .45rem; border: 1px solid var(--line); border-radius: 4px; background: var(--soft); color: inherit; }
textarea { min-height: 7rem; }
button { font: inherit; padding: .3rem 1rem; border-radius: 4px; border: 1px solid var(--accent); background: var(--accent); color: #fff; cursor: pointer; }
button.stop { background: none; color: inherit; margin-left: .5rem; }
pre { background: var(--soft); padding: .6rem; border-radius: 4px; overflow: auto; max-height: 26rem; white-space: pre-wrap; word-break: break-word; }
@media (max-width: 40rem) { label { grid-template-columns: 1fr; } label small { grid-column: 1; } }
</style>
</head>
<body>
<h1>Segments: the HTTP interface</h1>
<p>Described by <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1). Errors are <code>application/problem+json</code>.</p>
<label>Token<input id="token" type="password" autocomplete="off" spellcheck="false" placeholder="segments token --user NAME; none in auth mode none"></label>
<main id="routes">Loading…</main>
<noscript>This page needs its script; openapi.json does not.</noscript>
<script nonce="NONCE">
"use strict";
const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
const token = document.getElementById("token");
const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.get("token")) {
  sessionStorage.setItem("segments-token", fragment.get("token"));
  history.replaceState(null, "", location.pathname);
}
token.value = sessionStorage.getItem("segments-token") || "";
token.addEventListener("change", () => sessionStorage.setItem("segments-token", token.value));

let doc;
const resolve = (thing) =>
  thing && thing.$ref ? thing.$ref.slice(2).split("/").reduce((at, part) => at[part], doc) : thing;

const example = (schema) => {
  schema = resolve(schema) || {};
  if (schema.enum) return schema.enum[0];
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === "object") {
    const wanted = schema.required || [];
    return Object.fromEntries(Object.entries(schema.properties || {})
      .filter(([name]) => wanted.includes(name)).map(([name, member]) => [name, example(member)]));
  }
  return { array: [], integer: schema.minimum ?? 0, number: schema.minimum ?? 0, boolean: false, string: "" }[type] ?? null;
};

const pretty = (text) => { try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; } };

const readStream = async (answer, print) => {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return print("\n(the stream has ended)");
    print(value);
  }
};

const showRoute = (path, method, operation) => {
  const parameters = (operation.parameters || []).map(resolve);
  const fields = parameters.map((parameter) => {
    const input = make("input", { placeholder: parameter.in + (parameter.required ? ", required" : "") });
    const about = parameter.description ? [make("small", { textContent: parameter.description })] : [];
    return { parameter, input, label: make("label", {}, parameter.name, input, ...about) };
  });
  const bodySchema = operation.requestBody?.content["application/json"]?.schema;
  const body = bodySchema && make("textarea", { value: JSON.stringify(example(bodySchema), null, 2), spellcheck: false });
  const output = make("pre", { hidden: true });
  const send = make("button", { textContent: "Send" });
  const stop = make("button", { textContent: "Stop", className: "stop", hidden: true });
  let abort;
  stop.addEventListener("click", () => abort?.abort());
  send.addEventListener("click", async () => {
    let target = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const { parameter, input } of fields) {
      if (parameter.in === "path")
        target = target.replace("{" + parameter.name + "}", input.value.split("/").map(encodeURIComponent).join(path.includes("{key}") ? "/" : "%2F"));
      else if (input.value && parameter.in === "query") query.set(parameter.name, input.value);
      else if (input.value) headers[parameter.name] = input.value;
    }
    if (token.value) headers.Authorization = "Bearer " + token.value.trim();
    if (body) headers["Content-Type"] = "application/json";
    abort = new AbortController();
    stop.hidden = output.hidden = false;
    output.textContent = "…";
    try {
      const answer = await fetch(target + (query.size ? "?" + query : ""),
        { method: method.toUpperCase(), headers, body: body ? body.value : undefined, signal: abort.signal });
      output.textContent = answer.status + " " + answer.statusText + "\n" +
        [...answer.headers].map(([name, value]) => name + ": " + value).join("\n") + "\n\n";
      const type = answer.headers.get("content-type") || "";
      if (type.startsWith("text/event-stream")) await readStream(answer, (text) => output.append(text));
      else output.append(/json|text/.test(type) ? pretty(await answer.text()) : "(" + (await answer.blob()).size + " bytes)");
    } catch (error) {
      output.append("\n" + error.message);
    }
    stop.hidden = true;
  });
  return make("details", {},
    make("summary", {}, make("span", { className: "method", textContent: method.toUpperCase() }),
      make("code", { textContent: path }), make("span", { className: "about", textContent: operation.summary || "" })),
    make("div", { className: "inside" }, ...fields.map((field) => field.label), ...(body ? [body] : []), make("p", {}, send, stop), output));
};

(async () => {
  const main = document.getElementById("routes");
  try {
    doc = await (await fetch("/openapi.json")).json();
  } catch (error) {
    main.textContent = "openapi.json could not be read: " + error.message;
    return;
  }
  main.textContent = "";
  for (const { name } of doc.tags) {
    main.append(make("h2", { textContent: name }));
    for (const [path, operations] of Object.entries(doc.paths))
      for (const [method, operation] of Object.entries(operations))
        if (operation.tags?.includes(name)) main.append(showRoute(path, method, operation));
  }
})();
</script>
</body>
</html>
)html";

}  // namespace

std::string make_docs_page(std::string_view nonce) {
  std::string out(page);
  constexpr std::string_view mark = "NONCE";
  for (auto at = out.find(mark); at != out.npos; at = out.find(mark, at + nonce.size()))
    out.replace(at, mark.size(), nonce);
  return out;
}

}  // namespace segments
