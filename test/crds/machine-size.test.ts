import { expect, test } from "vitest";
import { guestOf, MACHINE_SIZES, memoryProblem } from "../../crds/machine-size.ts";

test("presets carry Fly's own figures", () => {
  expect(guestOf("shared-cpu-2x", undefined)).toEqual({ cpu_kind: "shared", cpus: 2, memory_mb: 512 });
  expect(guestOf("performance-4x", undefined)).toEqual({ cpu_kind: "performance", cpus: 4, memory_mb: 8192 });
  expect(guestOf("shared-cpu-1x", 1024).memory_mb).toBe(1024);
  expect(MACHINE_SIZES.has("shared-cpu-3x")).toBe(false);
});

test.each([
  ["shared-cpu-1x", 300, "must be a multiple of 256 MiB"],
  ["shared-cpu-1x", 2304, "must be between 256 and 2048 MiB for size shared-cpu-1x"],
  ["performance-1x", 1024, "must be between 2048 and 8192 MiB for size performance-1x"],
  ["shared-cpu-8x", 2048, undefined],
])("%s with %d MiB: %s", (size, memory, problem) => expect(memoryProblem(size, memory)).toBe(problem));
