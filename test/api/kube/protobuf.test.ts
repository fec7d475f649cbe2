// Bodies as kubectl's typed clients write them, put together here byte by byte.
import { describe, expect, test } from "vitest";
import { decodeProtobuf } from "../../../api/kube/protobuf.ts";
import { testApi } from "../test-api.ts";

type Part = readonly [field: number, value: string | number | Buffer];

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left % 128) | 128);
  }
}

function message(...parts: readonly Part[]): Buffer {
  return Buffer.concat(
    parts.flatMap(([field, value]) => {
      if (typeof value === "number") return [varint(field << 3), varint(value)];
      const bytes = Buffer.from(value);
      return [varint((field << 3) | 2), varint(bytes.length), bytes];
    }),
  );
}

function envelope(apiVersion: string, kind: string, raw: Buffer): Buffer {
  return Buffer.concat([Buffer.from("k8s\0"), message([1, message([1, apiVersion], [2, kind])], [2, raw], [4, ""])]);
}

describe("decodeProtobuf", () => {
  test("reads metadata, maps and lists", () => {
    const label = (key: string, value: string) => message([1, key], [2, value]);
    const metadata = message([1, "team"], [8, ""], [11, label("a", "b")], [11, label("c", "")], [14, "x"], [14, "y"]);
    const raw = message([1, metadata], [2, message([1, "kubernetes"])], [3, ""]);
    expect(decodeProtobuf(envelope("v1", "Namespace", raw))).toEqual({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "team", creationTimestamp: null, labels: { a: "b", c: "" }, finalizers: ["x", "y"] },
      spec: { finalizers: ["kubernetes"] },
      status: {},
    });
  });

  test("reads bytes as base64, truth, large numbers, and times to the microsecond", () => {
    const data = message([1, "key"], [2, Buffer.from([0, 255, 1])]);
    const secret = decodeProtobuf(envelope("v1", "Secret", message([2, data], [3, "Opaque"], [5, 1])));
    expect(secret).toMatchObject({ data: { key: "AP8B" }, type: "Opaque", immutable: true });
    const time = message([1, 1_767_225_600], [2, 5_000]);
    const lease = decodeProtobuf(
      envelope("coordination.k8s.io/v1", "Lease", message([2, message([2, 15], [4, time])])),
    );
    expect(lease.spec).toEqual({ leaseDurationSeconds: 15, renewTime: "2026-01-01T00:00:00.000005Z" });
  });

  test("passes over fields that it does not know, of every wire type", () => {
    const unknown = Buffer.concat([varint((90 << 3) | 1), Buffer.alloc(8), varint((91 << 3) | 5), Buffer.alloc(4)]);
    const raw = Buffer.concat([unknown, message([92, 7], [93, "x"], [2, message([1, "ns"])])]);
    expect(decodeProtobuf(envelope("authorization.k8s.io/v1", "SelfSubjectRulesReview", raw)).spec).toEqual({
      namespace: "ns",
    });
  });

  test.each([
    ["no magic", Buffer.from("{}"), "does not begin with"],
    ["cut off", envelope("v1", "Namespace", message([1, message([1, "team"])])).subarray(0, 30), "cut off"],
    ["another wire type", envelope("v1", "Namespace", Buffer.from([11])), "unknown wire type 3"],
    ["a number for a text", envelope("v1", "Namespace", message([1, message([1, 5])])), "a number stands where bytes"],
    ["another kind", envelope("v1", "Pod", Buffer.alloc(0)), "Pod is not read as protobuf"],
  ])("refuses %s", (_, bytes, why) => {
    expect(() => decodeProtobuf(bytes)).toThrow(why);
  });
});

test("a namespace that comes as protobuf is made, and answered as JSON", async () => {
  const api = await testApi();
  const body = envelope("v1", "Namespace", message([1, message([1, "team"])], [2, ""], [3, ""]));
  const response = await api.api.request("/api/v1/namespaces", {
    method: "POST",
    headers: { "content-type": "application/vnd.kubernetes.protobuf" },
    body: new Uint8Array(body),
  });
  expect(response.status).toBe(201);
  expect(await response.json()).toMatchObject({ kind: "Namespace", metadata: { name: "team" } });
});
