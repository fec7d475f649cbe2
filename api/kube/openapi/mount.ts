// Serves the documents. Each is made once, when it is first asked for, and named by its hash, so that clients keep it until
// it changes.
import { createHash } from "node:crypto";
import type { KindDef } from "../../../crds/resource.ts";
import type { Api, ApiContext } from "../../api.ts";
import { mount } from "../resources.ts";
import { groupVersionPath, openApi, swagger } from "./documents.ts";

interface Document {
  readonly text: string;
  /** Of the text; upper case hexadecimal. */
  readonly hash: string;
}

const FOREVER = "public, max-age=31536000, immutable";

export function mountOpenApi(api: Api, kinds: readonly KindDef[], version: string): void {
  const serve = (path: string, document: () => Document) =>
    mount(api, path, { get: async (c) => answer(c, document()) });
  const documents = [...new Set(kinds.map(groupVersionPath))].map((path) => {
    const members = kinds.filter((kind) => groupVersionPath(kind) === path);
    return { path, document: once(() => openApi(members, version)) };
  });
  const index = once(() => {
    const urlOf = ({ path, document }: (typeof documents)[number]) => `/openapi/v3/${path}?hash=${document().hash}`;
    return { paths: Object.fromEntries(documents.map((each) => [each.path, { serverRelativeURL: urlOf(each) }])) };
  });
  for (const { path, document } of documents) serve(`/openapi/v3/${path}`, document);
  serve("/openapi/v3", index);
  serve(
    "/openapi/v2",
    once(() => swagger(openApi(kinds, version))),
  );
  serve(
    "/openapi.json",
    once(() => openApi(kinds, version)),
  );
}

function once(make: () => object): () => Document {
  let made: Document | undefined;
  return () => {
    if (made) return made;
    const text = JSON.stringify(make());
    made = { text, hash: createHash("sha256").update(text).digest("hex").toUpperCase() };
    return made;
  };
}

function answer(c: ApiContext, { text, hash }: Document): Response {
  const etag = `"${hash}"`;
  // Only a document that was asked for by its hash will never be another one.
  const caching = c.req.query("hash") === hash ? FOREVER : "no-cache, private";
  const headers = { etag, "cache-control": caching, vary: "Accept" };
  if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
  return c.body(text, 200, { ...headers, "content-type": "application/json" });
}
