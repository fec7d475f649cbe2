// The body of a request: bounded, then parsed once by its media type. JSON when the client does not say.
import { parseAllDocuments } from "yaml";
import { MAX_BODY_BYTES } from "../controller/limits.ts";
import type { ApiContext } from "./api.ts";
import { duplicateKeys } from "./duplicate-keys.ts";
import { HttpError } from "./http-error.ts";
import { decodeProtobuf, PROTOBUF_TYPE } from "./kube/protobuf.ts";
import { mediaType, YAML_TYPES } from "./request-guard.ts";

/** Keys that stand twice in an object go to `duplicate`, each as a path; without it the last one counts. */
export async function parsedBody(c: ApiContext, duplicate?: (path: string) => void): Promise<unknown> {
  const value = await optionalBody(c, duplicate);
  if (value === undefined) throw new HttpError("BadRequest", "the request has no body");
  return value;
}

/** Undefined when the request has no body. */
export async function optionalBody(c: ApiContext, duplicate?: (path: string) => void): Promise<unknown> {
  const bytes = await boundedBytes(c);
  const type = mediaType(c.req.header("content-type") ?? "");
  if (type === PROTOBUF_TYPE && bytes.length > 0) return decodeProtobuf(bytes);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  if (text.trim() === "") return undefined;
  const value = YAML_TYPES.has(type) ? parsedJson(text) : parseJson(text);
  if (value === undefined) return parseYaml(text);
  if (duplicate) for (const path of duplicateKeys(text, value)) duplicate(path);
  return value;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HttpError("BadRequest", `the body is not JSON: ${reasonOf(error)}`);
  }
}

/** What YAML clients send is mostly JSON, which is read much faster as such; undefined when this is not. */
function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/** YAML 1.2, so that `on` and `yes` stay text; the parser bounds aliases and refuses duplicate keys. */
function parseYaml(text: string): unknown {
  const documents = parseAllDocuments(text, { logLevel: "silent" });
  const [document] = documents;
  if (!document || documents.length !== 1) {
    throw new HttpError("BadRequest", `the body must hold one YAML document, it holds ${documents.length}`);
  }
  const [problem] = document.errors;
  if (problem) throw new HttpError("BadRequest", `the body is not YAML: ${problem.message}`);
  try {
    return document.toJS();
  } catch (error) {
    throw new HttpError("BadRequest", `the body is not YAML: ${reasonOf(error)}`);
  }
}

async function boundedBytes(c: ApiContext): Promise<Uint8Array> {
  const declared = c.req.header("content-length");
  if (declared !== undefined) {
    if (Number(declared) > MAX_BODY_BYTES) throw tooLarge();
    return new Uint8Array(await c.req.arrayBuffer()); // the HTTP parser holds the client to the length it declared
  }
  return c.req.raw.body ? readAtMost(c.req.raw.body) : new Uint8Array();
}

async function readAtMost(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): HttpError {
  return new HttpError("RequestEntityTooLarge", `the body is larger than ${MAX_BODY_BYTES} bytes`);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
