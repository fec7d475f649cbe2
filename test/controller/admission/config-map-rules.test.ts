import { expect, test } from "vitest";
import { configMapRules } from "../../../controller/admission/config-map-rules.ts";
import type { ConfigMap } from "../../../crds/config-map.ts";

const metadata = { name: "c", uid: "u", resourceVersion: "1", generation: 1, creationTimestamp: "" };
const map = (rest: Partial<ConfigMap>): ConfigMap => ({ apiVersion: "v1", kind: "ConfigMap", metadata, ...rest });

test("what is immutable keeps its data and stays immutable; all else changes freely", () => {
  const fixed = map({ data: { a: "1" }, immutable: true });
  const fields = (next: ConfigMap, current: ConfigMap) =>
    configMapRules.check?.(next, current).map(({ field }) => field);
  expect(fields(fixed, fixed)).toEqual([]);
  expect(fields(map({ data: { a: "2" } }), fixed)).toEqual(["data", "immutable"]);
  expect(fields(map({ data: { a: "2" } }), map({ data: { a: "1" } }))).toEqual([]);
});
