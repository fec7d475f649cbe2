// `npm run demo` as a newcomer runs it: it ends by itself and in time, shows that the work arrived, leaves nothing, and
// never touches an account whose token lies around.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { send } from "../../controller/emulator/guests/processes.ts";
import { processesMentioning } from "../demo/leftovers.ts";
import { type Environment, type Program, startProgram } from "./program.ts";
import { ROOT } from "./server.ts";

/** What is promised. */
const IN_TIME_MS = 60_000;

let folder: string;
let running: Program | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flywheel-e2e-demo-"));
});
afterEach(async () => {
  await running?.stop();
  // What has this folder in its arguments or mounts was begun by this test, and a test that failed may have left it.
  for (const each of await processesMentioning(folder)) send(Number.parseInt(each, 10), "SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** With a temporary folder and a home of its own, so that whatever it leaves is seen. */
function demo(environment: Environment = {}): Program {
  running = startProgram("npm", ["run", "--silent", "demo"], {
    cwd: ROOT,
    env: { HOME: folder, TMPDIR: folder, npm_config_cache: join(folder, ".npm"), ...environment },
  });
  return running;
}

test("it shows the commit that arrived, and that nothing is left, in time", async () => {
  const begin = performance.now();
  const { code, out, err } = await demo().ended;
  expect({ code, err }).toEqual({ code: 0, err: expect.any(String) });
  expect(performance.now() - begin).toBeLessThan(IN_TIME_MS);

  const pushed = /push \| pushed ([0-9a-f]+) to main/.exec(out)?.[1];
  const history = out.slice(out.indexOf("$ git log --stat"));
  expect(pushed).toBeDefined();
  expect(history).toContain(`${pushed} Flywheel: Add a note`);
  expect(out).toMatch(/\nLinux [0-9a-f]{14} /); // uname says whose name the machine has
  for (const kind of ["machines", "processes", "files"]) expect(out).toMatch(new RegExp(`^${kind} +none$`, "m"));
  expect(out).toContain("What to try next");

  expect(readdirSync(folder).filter((name) => name.startsWith("flywheel-"))).toEqual([]);
  expect(await processesMentioning(folder)).toEqual([]);
});

test("a Fly token and address in the environment are never used", async () => {
  const calls: string[] = [];
  const account = createServer((request, response) => {
    calls.push(`${request.method} ${request.url}`);
    response.writeHead(500).end();
  });
  await new Promise<void>((resolve) => account.listen(0, "127.0.0.1", resolve));
  const { port } = account.address() as AddressInfo; // a TCP server that listens has one
  const url = `http://127.0.0.1:${port}`;
  try {
    const { code, out } = await demo({
      FLY_API_TOKEN: "FlyV1 nonsense",
      FLY_ORG_SLUG: "nobody",
      FLY_FLAPS_BASE_URL: url,
      FLY_API_BASE_URL: url,
      WORKER_APP: "somebody-elses-app",
      DATA_DIR: join(folder, "data-of-the-user"),
      FLYWHEEL_SERVER: url,
    }).ended;
    expect({ code, calls }).toEqual({ code: 0, calls: [] });
    expect(out).not.toContain("nonsense");
    expect(readdirSync(folder)).not.toContain("data-of-the-user");
  } finally {
    account.close();
  }
});

test("interrupted, it cleans up as well", async () => {
  const program = demo();
  await program.said(/\[clone\] running/);
  await program.stop("SIGINT");
  expect(readdirSync(folder).filter((name) => name.startsWith("flywheel-"))).toEqual([]);
  expect(await processesMentioning(folder)).toEqual([]);
});
