// The exploration of crash points can fail: bugs that show at one moment only are seen there, and nowhere else.
import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundle, ROOT } from "./bundle.ts";
import { CRASHING } from "./crashing.ts";
import type { Explored } from "./points.ts";

const PATIENCE_MS = 300_000;
const run = promisify(execFile);
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flywheel-crashing-"));
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each(CRASHING)("$name: $bug", { timeout: PATIENCE_MS }, async (mutant) => {
  const file = join(folder, `${mutant.name}.mjs`);
  await bundle(mutant, file, "test/sim/mutants/points.ts");
  const { stdout } = await run(process.execPath, [file, mutant.scenario]);
  const { explored, failed }: Explored = JSON.parse(stdout);
  const seen = failed.filter(({ problems }) => problems.some((each) => mutant.seen.test(each)));
  expect(failed.map(({ at }) => at)).not.toContain(""); // undisturbed it works
  expect(seen.length).toBeGreaterThan(0);
  expect(failed.length).toBeLessThan(explored);
});
