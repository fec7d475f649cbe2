import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeFolder } from "../../../controller/kernel/folder.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flywheel-folder-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("all that leads to it is made, for its owner alone, and being there already is success", () => {
  const path = join(folder, "a", "b", "c");
  makeFolder(path);
  makeFolder(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, "a")).mode & 0o777).toBe(0o700);
});

test("a file in the way is an error", () => {
  writeFileSync(join(folder, "file"), "");
  expect(() => makeFolder(join(folder, "file"))).toThrow("EEXIST");
  expect(() => makeFolder(join(folder, "file", "a", "b"))).toThrow("ENOTDIR");
});

test("where nothing can be made, that is said rather than tried for ever", () => {
  expect(() => makeFolder("/proc/flywheel")).toThrow("/proc/flywheel");
  expect(() => makeFolder("/proc/flywheel/data")).toThrow("/proc/flywheel");
});
