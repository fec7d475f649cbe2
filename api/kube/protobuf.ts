// Kubernetes' protobuf, read only: kubectl's own verbs (create namespace, secret, configmap; auth can-i) send the few built-in
// kinds this way and accept JSON back. The field numbers are those of Kubernetes' published generated.proto files.
import type { Json, JsonObject } from "../../controller/kernel/json.ts";
import { HttpError } from "../http-error.ts";

export const PROTOBUF_TYPE = "application/vnd.kubernetes.protobuf";

type Type = "string" | "bytes" | "bool" | "int" | "time" | Message;
interface Field {
  readonly name: string;
  readonly type: Type;
  /** Repeated fields are lists, or maps from text to a value. */
  readonly repeated?: "list" | "map";
}
type Message = Readonly<Record<number, Field>>;

const text = (name: string): Field => ({ name, type: "string" });
const one = (name: string, type: Type): Field => ({ name, type });
const list = (name: string, type: Type): Field => ({ name, type, repeated: "list" });
const map = (name: string, type: Type): Field => ({ name, type, repeated: "map" });

const OWNER: Message = {
  1: text("kind"),
  3: text("name"),
  4: text("uid"),
  5: text("apiVersion"),
  6: one("controller", "bool"),
  7: one("blockOwnerDeletion", "bool"),
};
const METADATA: Field = one("metadata", {
  1: text("name"),
  2: text("generateName"),
  3: text("namespace"),
  4: text("selfLink"),
  5: text("uid"),
  6: text("resourceVersion"),
  7: one("generation", "int"),
  8: one("creationTimestamp", "time"),
  9: one("deletionTimestamp", "time"),
  10: one("deletionGracePeriodSeconds", "int"),
  11: map("labels", "string"),
  12: map("annotations", "string"),
  13: list("ownerReferences", OWNER),
  14: list("finalizers", "string"),
});

const MESSAGES: Readonly<Record<string, Message>> = {
  Namespace: {
    1: METADATA,
    2: one("spec", { 1: list("finalizers", "string") }),
    3: one("status", { 1: text("phase") }),
  },
  ConfigMap: { 1: METADATA, 2: map("data", "string"), 3: map("binaryData", "bytes"), 4: one("immutable", "bool") },
  Secret: {
    1: METADATA,
    2: map("data", "bytes"),
    3: text("type"),
    4: map("stringData", "string"),
    5: one("immutable", "bool"),
  },
  Lease: {
    1: METADATA,
    2: one("spec", {
      1: text("holderIdentity"),
      2: one("leaseDurationSeconds", "int"),
      3: one("acquireTime", "time"),
      4: one("renewTime", "time"),
      5: one("leaseTransitions", "int"),
      6: text("strategy"),
      7: text("preferredHolder"),
    }),
  },
  SelfSubjectAccessReview: {
    1: METADATA,
    2: one("spec", {
      1: one("resourceAttributes", {
        1: text("namespace"),
        2: text("verb"),
        3: text("group"),
        4: text("version"),
        5: text("resource"),
        6: text("subresource"),
        7: text("name"),
      }),
      2: one("nonResourceAttributes", { 1: text("path"), 2: text("verb") }),
    }),
  },
  SelfSubjectRulesReview: { 1: METADATA, 2: one("spec", { 1: text("namespace") }) },
  SelfSubjectReview: { 1: METADATA },
};

/** What every body is wrapped in. */
const ENVELOPE: Message = {
  1: one("type", { 1: text("apiVersion"), 2: text("kind") }),
  2: one("raw", "bytes"),
};
const MAGIC = Buffer.from("k8s\0");

/** The object as JSON would have said it. Throws BadRequest for what is cut off, UnsupportedMediaType for other kinds. */
export function decodeProtobuf(body: Uint8Array): JsonObject {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw broken("it does not begin with k8s\\0");
  const { type, raw } = decode(bytes.subarray(MAGIC.length), ENVELOPE) as Envelope; // by ENVELOPE
  const message = MESSAGES[type?.kind ?? ""];
  if (!message) {
    const known = Object.keys(MESSAGES).join(", ");
    throw new HttpError("UnsupportedMediaType", `${type?.kind} is not read as protobuf (${known} are); send JSON`);
  }
  return { ...type, ...decode(Buffer.from(raw ?? "", "base64"), message) };
}

interface Envelope {
  readonly type?: { readonly apiVersion: string; readonly kind: string };
  readonly raw?: string;
}

type Mutable = Record<string, Json>;

function decode(bytes: Buffer, message: Message): Mutable {
  const object: Mutable = {};
  const reader = readerOf(bytes);
  while (!reader.done()) {
    const tag = reader.varint();
    const value = reader.value(tag & 7);
    const field = message[tag >>> 3];
    if (field) put(object, field, value);
  }
  return object;
}

function put(object: Mutable, field: Field, value: number | Buffer): void {
  if (field.repeated === "map") {
    const { key, value: entry } = decode(asBytes(value), { 1: text("key"), 2: one("value", field.type) });
    const entries = (object[field.name] ?? {}) as Mutable; // made here
    // A value that is empty is left out on the wire.
    object[field.name] = { ...entries, [String(key ?? "")]: entry ?? "" };
    return;
  }
  const read = scalar(field.type, value);
  if (field.repeated !== "list") object[field.name] = read;
  else object[field.name] = [...((object[field.name] ?? []) as Json[]), read]; // made here
}

function scalar(type: Type, value: number | Buffer): Json {
  switch (type) {
    case "int":
      return asNumber(value);
    case "bool":
      return asNumber(value) !== 0;
    case "string":
      return asBytes(value).toString("utf8");
    case "bytes":
      return asBytes(value).toString("base64");
    case "time":
      return timestamp(decode(asBytes(value), { 1: one("seconds", "int"), 2: one("nanos", "int") }));
    default:
      return decode(asBytes(value), type);
  }
}

/** The time that is not set is sent as an empty message. */
function timestamp({ seconds, nanos }: Mutable): string | null {
  if (seconds === undefined) return null;
  const whole = new Date(Number(seconds) * 1000).toISOString();
  const micros = Math.floor(Number(nanos ?? 0) / 1000);
  return micros === 0 ? whole.replace(".000Z", "Z") : whole.replace(".000Z", `.${String(micros).padStart(6, "0")}Z`);
}

function asBytes(value: number | Buffer): Buffer {
  if (typeof value === "number") throw broken("a number stands where bytes are due");
  return value;
}

function asNumber(value: number | Buffer): number {
  if (typeof value !== "number") throw broken("bytes stand where a number is due");
  return value;
}

function readerOf(bytes: Buffer) {
  let at = 0;
  function take(length: number): Buffer {
    if (at + length > bytes.length) throw broken("it is cut off");
    at += length;
    return bytes.subarray(at - length, at);
  }
  function varint(): number {
    let result = 0;
    for (let factor = 1; factor < 2 ** 63; factor *= 128) {
      const byte = take(1)[0] ?? 0;
      result += (byte & 127) * factor;
      if (byte < 128) return result;
    }
    throw broken("a number is too long");
  }
  function value(wireType: number): number | Buffer {
    if (wireType === 0) return varint();
    if (wireType === 1) return take(8);
    if (wireType === 2) return take(varint());
    if (wireType === 5) return take(4);
    throw broken(`unknown wire type ${wireType}`);
  }
  return { done: () => at >= bytes.length, varint, value };
}

function broken(why: string): HttpError {
  return new HttpError("BadRequest", `the body is not Kubernetes protobuf: ${why}`);
}
