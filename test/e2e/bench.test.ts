// The benchmark stays runnable: a run of seconds, in which every figure is made and none is judged.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SECTIONS } from "../bench/options.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

test("a small run measures everything, prints JSON alone on standard output, and leaves nothing", () => {
  const temporary = mkdtempSync(join(tmpdir(), "flywheel-bench-test-"));
  try {
    const small =
      "--rounds 1 --seconds 1 --samples 3 --servers 1 --instances 2 --idle-instances 1 --idle-seconds 6 --listed 20 --watchers 3 --updates 10";
    const ended = spawnSync(process.execPath, ["--import", "tsx", "test/bench/bench.ts", ...small.split(" ")], {
      cwd: ROOT,
      encoding: "utf8",
      // A real token lying around must never be used: with this one, nothing would answer.
      env: {
        PATH: process.env.PATH,
        TMPDIR: temporary,
        FLY_API_TOKEN: "fo1_not_to_be_used",
        FLY_FLAPS_BASE_URL: "http://127.0.0.1:1",
      },
    });
    expect({ status: ended.status, said: ended.stderr }).toMatchObject({ status: 0 });
    const figures: Record<string, object> = JSON.parse(ended.stdout);
    for (const section of SECTIONS) {
      expect(figures[section]).toMatchObject({ value: expect.anything(), target: expect.anything() });
    }
    expect(figures.delay).toMatchObject({ detail: { samples: 3 } });
    expect(figures.idle).toMatchObject({ value: { calls: { list: expect.any(Number) } } });
    expect(readdirSync(temporary).filter((name) => name.startsWith("flywheel-bench-"))).toEqual([]);
    expect(readdirSync(join(ROOT, "dist")).filter((name) => name.startsWith("bench-"))).toEqual([]);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
});
