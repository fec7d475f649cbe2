// `-f`: a file, a directory or `-` for stdin, each with one document or many, in YAML or JSON. Every document keeps
// where it came from, so that a complaint can name it.
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { Failure, UsageError } from "./failure.ts";
import { isObject, type Json } from "./object.ts";
import type { Session } from "./session.ts";

export interface Manifest {
  /** `dev.yaml`, or `dev.yaml:12` for a document that does not begin the file. */
  readonly source: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Json & { readonly name?: string; readonly generateName?: string; readonly namespace?: string };
  readonly object: Json;
}

const EXTENSIONS = new Set([".yaml", ".yml", ".json"]);

export async function readManifests(
  session: Session,
  files: readonly string[],
  recursive: boolean,
): Promise<Manifest[]> {
  if (files.length === 0) throw new UsageError("name a file, a directory or - for stdin with -f");
  const manifests: Manifest[] = [];
  for (const file of files) {
    for (const path of await filesOf(file, recursive)) {
      const text = path === "-" ? await session.terminal.readStdin() : await readText(path);
      manifests.push(...(await parseManifests(text, path === "-" ? "stdin" : path)));
    }
  }
  if (manifests.length === 0) throw new Failure(`no manifest found in ${files.join(", ")}`);
  return manifests;
}

/** The documents of one text; a `List` stands for its items. */
export async function parseManifests(text: string, source: string): Promise<Manifest[]> {
  const { LineCounter, parseAllDocuments } = await import("yaml");
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, merge: true, prettyErrors: false });
  const found: Manifest[] = [];
  for (const document of documents) {
    const [error] = document.errors;
    if (error) {
      const { line, col } = lines.linePos(error.pos[0]);
      throw new Failure(`${source}:${line}:${col}: ${error.message}`);
    }
    const value: unknown = document.toJS();
    if (value === null || value === undefined) continue; // an empty document between two separators
    const { line } = lines.linePos(document.contents?.range?.[0] ?? 0);
    const at = documents.length > 1 && line > 1 ? `${source}:${line}` : source;
    found.push(...itemsOf(value).map((item) => manifestOf(item, at)));
  }
  return found;
}

/** The namespace that a manifest goes to; naming two different ones is a mistake that must not be guessed away. */
export function namespaceOf(manifest: Manifest, session: Session): string {
  const own = manifest.metadata.namespace;
  if (own === undefined) return session.namespace;
  if (session.namespaceGiven && own !== session.namespace) {
    throw new Failure(
      `${manifest.source}: metadata.namespace is "${own}", but -n says "${session.namespace}"; leave out one of the two`,
    );
  }
  return own;
}

async function filesOf(path: string, recursive: boolean): Promise<string[]> {
  if (path === "-") return [path];
  const info = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  if (!info.isDirectory()) return [path];
  const entries = await readdir(path, { withFileTypes: true });
  const inside = entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(async (entry) => {
      const each = join(path, entry.name);
      if (entry.isDirectory()) return recursive ? filesOf(each, true) : [];
      return EXTENSIONS.has(extname(entry.name)) ? [each] : [];
    });
  return (await Promise.all(inside)).flat();
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
}

function unreadable(path: string, cause: unknown): Failure {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOENT") return new Failure(`there is no file or directory "${path}"`, { cause });
  if (code === "EACCES") return new Failure(`"${path}" may not be read by this user`, { cause });
  return new Failure(`cannot read "${path}": ${String(cause)}`, { cause });
}

function itemsOf(value: unknown): readonly unknown[] {
  if (!isObject(value) || !Array.isArray(value.items)) return [value];
  return String(value.kind).endsWith("List") ? value.items : [value];
}

function manifestOf(value: unknown, source: string): Manifest {
  if (!isObject(value))
    throw new Failure(`${source}: a manifest is an object with apiVersion, kind, metadata and spec`);
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== "string")
    throw new Failure(`${source}: apiVersion is missing; most kinds have fly.lightfast.ai/v1`);
  if (typeof kind !== "string") throw new Failure(`${source}: kind is missing, such as Instance or Workflow`);
  if (!isObject(metadata)) throw new Failure(`${source}: metadata is missing; it holds the name`);
  const names = { name: metadata.name, generateName: metadata.generateName, namespace: metadata.namespace };
  for (const [field, text] of Object.entries(names)) {
    if (text !== undefined && typeof text !== "string") {
      throw new Failure(`${source}: metadata.${field} is ${JSON.stringify(text)}, which is not text; put it in quotes`);
    }
  }
  if (names.name === undefined && names.generateName === undefined)
    throw new Failure(`${source}: metadata.name is missing`);
  // The three were just seen to be text or absent.
  return { source, apiVersion, kind, metadata: metadata as Manifest["metadata"], object: value };
}
