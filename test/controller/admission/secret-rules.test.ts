import { expect, test } from "vitest";
import { secretKind } from "../../../crds/secret.ts";
import { admitted } from "./admitted.ts";

const manifest = (rest: object) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "s", namespace: "default" },
  ...rest,
});
const KEY = { namespace: "default", name: "s" };

test("plain text becomes data and is not kept", async () => {
  const { admission } = await admitted();
  const made = await admission.create(
    secretKind,
    manifest({ data: { a: "MQ==" }, stringData: { a: "2", b: "ü" }, type: "" }),
  );
  expect(made).toMatchObject({ type: "Opaque", data: { a: "Mg==", b: "w7w=" } });
  expect(JSON.stringify(made)).not.toContain("stringData");
});

test("the type stays; immutable data stays; a value that is wrong is not shown", async () => {
  const { admission } = await admitted();
  await admission.create(secretKind, manifest({ data: { a: "MQ==" }, immutable: true }));
  const write = (change: object) => admission.update(secretKind, KEY, (current) => ({ ...current, ...change }));
  await expect(write({ type: "other" })).rejects.toThrow(/type: .*who uses the secret relies on its type/);
  await expect(write({ data: { a: "Mg==" } })).rejects.toThrow(/data: Forbidden: field is immutable/);
  const wrong = admission.create(secretKind, manifest({ data: { a: "not base64 but secret" } }));
  await expect(wrong).rejects.toThrow("data.a: Invalid value: (hidden): must be base64");
});
