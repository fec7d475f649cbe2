// A kubeconfig with our server in it: what kubectl and client libraries read to know where to go and what to trust. Whatever else
// the file says stays as it is, comments included.
import { type Document, isSeq, parseDocument, type YAMLSeq } from "yaml";
import { Failure } from "./failure.ts";

export interface KubeconfigEntry {
  /** Of the context, the cluster and the user alike. */
  readonly name: string;
  readonly server: string;
  /** PEM certificates to trust. */
  readonly authority: string | undefined;
  readonly token: string | undefined;
  readonly namespace: string;
}

/** The text of the file with the entry in it, and its context the current one. `former` is empty for a new file. */
export function withEntry(former: string, entry: KubeconfigEntry, file: string): string {
  const document = parseDocument(former);
  const [problem] = document.errors;
  if (problem) throw new Failure(`${file} is not YAML, and is left as it is: ${problem.message}`);
  const { name, server, authority, token, namespace } = entry;
  const certificate = authority && { "certificate-authority-data": Buffer.from(authority).toString("base64") };
  document.set("apiVersion", "v1");
  document.set("kind", "Config");
  put(document, "clusters", name, { cluster: { server, ...certificate } }, file);
  put(document, "users", name, { user: token === undefined ? {} : { token } }, file);
  put(document, "contexts", name, { context: { cluster: name, user: name, namespace } }, file);
  document.set("current-context", name);
  return document.toString({ lineWidth: 0 });
}

function put(document: Document, list: string, name: string, value: object, file: string): void {
  const items = document.get(list);
  if (items === undefined || items === null) {
    document.set(list, document.createNode([{ name, ...value }]));
    return;
  }
  if (!isSeq(items)) {
    throw new Failure(`${file}: ${list} is not a list, and is left as it is; mend or remove the file`);
  }
  const at = indexOf(items, name);
  const entry = document.createNode({ name, ...value });
  if (at < 0) items.add(entry);
  else items.set(at, entry);
}

function indexOf(items: YAMLSeq, name: string): number {
  const listed: unknown = items.toJSON();
  if (!Array.isArray(listed)) return -1;
  return listed.findIndex(
    (item: unknown) => typeof item === "object" && item !== null && "name" in item && item.name === name,
  );
}
