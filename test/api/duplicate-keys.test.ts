import { describe, expect, test } from "vitest";
import { duplicateKeys } from "../../api/duplicate-keys.ts";
import { INSTANCES, testApi } from "./test-api.ts";

const found = (text: string) => duplicateKeys(text, JSON.parse(text));

test.each([
  ["none", '{"a":1,"b":{"a":2},"c":[{"a":1},{"a":2}]}', []],
  ["at the top", '{"a":1,"a":2}', ["a"]],
  ["in a list", '{"l":[{"x":1},{"x":1,"y":2,"x":3}]}', ["l[1].x"]],
  ["of objects, both looked into", '{"a":{"b":1},"a":{"c":1,"c":2}}', ["a", "a.c"]],
  ["with escapes", '{"\\u0061":1,"a":2}', ["a"]],
  ["that only look so inside a text", '{"a":"\\"a\\": 1, \\"a\\": 2","b":":"}', []],
])("keys that stand twice: %s", (_, text, expected) => {
  expect(found(text)).toEqual(expected);
});

describe("a request with one", () => {
  const body =
    '{"apiVersion":"fly.lightfast.ai/v1","kind":"Instance","metadata":{"name":"b"},"spec":{"ttl":"1h","ttl":"2h"}}';
  async function post(validation: string) {
    const api = await testApi();
    const headers = { "content-type": "application/json" };
    const response = await api.api.request(`${INSTANCES}${validation}`, { method: "POST", headers, body });
    return { status: response.status, warning: response.headers.get("warning"), body: await response.json() };
  }

  test("is refused, by name", async () => {
    expect(await post("")).toMatchObject({
      status: 400,
      body: { reason: "BadRequest", message: 'strict decoding error: duplicate field "spec.ttl"; say it once' },
    });
  });

  test("is warned about, or let through, when the client asks for that", async () => {
    const warned = await post("?fieldValidation=Warn");
    expect(warned).toMatchObject({ status: 201, warning: '299 - "duplicate field \\"spec.ttl\\""' });
    expect(warned.body).toMatchObject({ spec: { ttl: "2h" } });
    expect(await post("?fieldValidation=Ignore")).toMatchObject({ status: 201, warning: null });
  });
});
