import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UnavailableError } from "../../../controller/store/errors.ts";
import { INSTANCES, instance } from "../test-api.ts";
import { testCli } from "./test-cli.ts";

let folder: string;
let target: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flywheel-cli-backup-"));
  target = join(folder, "saved");
});
afterEach(() => rmSync(folder, { recursive: true }));

const server = (overrides: Parameters<typeof testCli>[0] = {}) =>
  testCli({ file: join(folder, "data", "flywheel.db"), ...overrides });

test("writes one private file and says what is in it", async () => {
  const cli = await server();
  await cli.send("POST", INSTANCES, instance("box"));
  const { code, out, err } = await cli.run(["backup", target]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toMatch(/^backup of 2 objects at revision 2, taken at .*\n\d+ bytes, sha256 [0-9a-f]{64}, in .*saved\n$/);
  expect(statSync(target).mode & 0o777).toBe(0o600);
  expect(readFileSync(target, "latin1")).toMatch(/^SQLite format 3/);
  expect(readdirSync(folder).sort()).toEqual(["data", "saved"]);
});

test("a backup from before is replaced only by one that is whole", async () => {
  const cli = await server();
  writeFileSync(target, "the one from before");
  let sent = 0;
  cli.fault = (request) => (request.startsWith("POST /api/backups") && sent++ > 0 ? new Error("cut off") : undefined);
  const broken = await cli.run(["backup", target]);
  expect(broken.code).toBe(1);
  expect(broken.err).toContain("cut off");
  expect(readFileSync(target, "utf8")).toBe("the one from before");
  expect(readdirSync(folder).sort()).toEqual(["data", "saved"]);
  cli.fault = undefined;
  expect((await cli.run(["backup", "-o", target])).code).toBe(0);
  expect(readFileSync(target, "latin1")).toMatch(/^SQLite format 3/);
});

test("to stdout goes the file alone; what is said of it goes beside", async () => {
  const cli = await server();
  const { code, out, err } = await cli.run("backup -");
  expect(code).toBe(0);
  expect(out).toMatch(/^SQLite format 3/);
  expect(err).toMatch(/backup of 1 objects/);
});

test("where the file cannot be written, that is said, and no server's word is lost", async () => {
  const cli = await server();
  const nowhere = join(folder, "absent", "saved");
  const { code, err } = await cli.run(["backup", nowhere]);
  expect(code).toBe(1);
  expect(err).toContain(`cannot write ${nowhere}`);
});

test("what the server refuses is told: no key, another backup under way", async () => {
  const locked = await server({ apiKey: "a-long-enough-key" });
  expect((await locked.run(["backup", target])).err).toContain("Set FLYWHEEL_TOKEN");
  const busy = await testCli({ backup: () => Promise.reject(new UnavailableError("another backup is being taken")) });
  const { code, err } = await busy.run(["backup", target]);
  expect(code).toBe(1);
  expect(err).toContain("another backup is being taken");
  expect(existsSync(target)).toBe(false);
});

test.each(["backup", "backup a -o b"])("%s is typed wrong", async (line) => {
  const cli = await server();
  expect(await cli.run(line)).toMatchObject({ code: 2 });
});

test("restore hands over to the server's program, with what was typed", async () => {
  const cli = await testCli();
  expect((await cli.run("restore file --data-dir /data --force")).code).toBe(0);
  expect(cli.requests).toEqual(["server restore --data-dir /data --force -- file"]);
});
