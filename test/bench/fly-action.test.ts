import { expect, test } from "vitest";
import { actionOf } from "./fly-action.ts";

test.each([
  ["GET", "/v1/apps/a/machines", "list"],
  ["POST", "/v1/apps/a/machines", "create"],
  ["GET", "/v1/apps/a/machines/148e", "get"],
  ["POST", "/v1/apps/a/machines/148e", "update"],
  ["DELETE", "/v1/apps/a/machines/148e", "delete"],
  ["GET", "/v1/apps/a/machines/148e/wait", "wait"],
  ["POST", "/v1/apps/a/machines/148e/start", "start"],
  ["PATCH", "/v1/apps/a/machines/148e/metadata", "metadata"],
  ["DELETE", "/v1/apps/a/machines/148e/metadata/key", "metadata"],
])("%s %s is %s, in its app", (method, path, action) => {
  expect(actionOf(method, path)).toEqual({ action, app: "a" });
});

test("what is about apps is not taken for a machine's", () => {
  expect(actionOf("GET", "/v1/apps/a").action).toBe("app");
  expect(actionOf("POST", "/v1/apps").action).toBe("app");
});
