// Which field a refusal of Fly is about.
import { expect, test } from "vitest";
import { refusal } from "../../../controller/reconcilers/refused-field.ts";

test.each([
  ["failed to get manifest a:b: MANIFEST_UNKNOWN: manifest unknown", "image"],
  ['invalid_argument: region "zzz" not found', "region"],
  ["invalid config.guest.memory_mb, must be a multiple of 256 MiB", "memoryMb"],
  ["invalid config.guest.cpus, must be one of 1, 2", "size"],
  ["config.files guest_path must be absolute, got 'a'", "files"],
  ["invalid config.restart.policy, got 'x'", "restart"],
])("%s", (said, field) => {
  expect(refusal(`create machine "fw-1-1" in app "workers" (iad): Fly answered 400: ${said}`)).toMatch(
    new RegExp(`^spec\\.${field}: `),
  );
});

test("what is about no field stays as Fly says it", () => {
  expect(refusal("Fly answered 403: not allowed")).toBe("Fly answered 403: not allowed");
});
