// The built-in workflow on a bare system: everything that it promises is absent before and works after.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DebianRoot, debianRoot } from "./debian-root.ts";
import { builtIn, runSteps } from "./workflow-scripts.ts";

const WORKFLOW = builtIn("dev-environment");
const MAJOR = process.version.slice(1).split(".")[0] ?? "";

let root: DebianRoot | string;
beforeAll(async () => {
  root = await debianRoot();
  if (typeof root === "string") console.log(`skipped: dev-environment is not installed on a bare system: ${root}`);
}, 600_000);
afterAll(async () => {
  if (typeof root !== "string") await root.close();
});

test("the machine has what was asked for and stays", () => {
  expect(WORKFLOW.cleanup).toBe("Never");
  expect(WORKFLOW.instances.box).toMatchObject({
    size: "shared-cpu-2x",
    memoryMb: 2048,
    rootfs: { persist: "Always" },
  });
});

test("tools and Node.js are installed where they are absent, once", { timeout: 900_000 }, async (context) => {
  if (typeof root === "string") return context.skip(root);
  console.log(
    "skipped: nodejs.org itself; a mirror in its layout, made from the Node.js that runs this test, stands in for it",
  );
  const values = { nodeVersion: MAJOR, nodeMirror: mirrorIn(root) };
  const results = await runSteps(root.session, WORKFLOW, values, "first");
  expect(
    results.map(({ name, exitCode }) => [name, exitCode]),
    results.at(-1)?.output,
  ).toEqual([
    ["tools", 0],
    ["node", 0],
    ["verify", 0],
  ]);
  const [tools, node, verify] = results;
  expect(tools?.output).toContain("missing: git curl wget vim tmux make cc c++");
  expect(node?.output).toMatch(/: OK\ninstalled node-v/);
  expect(verify?.output).toContain(`${process.version}\n`);

  const again = await runSteps(root.session, WORKFLOW, { nodeMirror: "file:///nowhere" }, "second");
  expect(again.map(({ output }) => output.split("\n")[0])).toEqual([
    "all there",
    `Node.js ${process.version} is there`,
    expect.stringContaining("git version"),
  ]);
});

test("a Node.js that is too old is replaced, but not by an archive that is not what its checksum says", {
  timeout: 120_000,
}, async (context) => {
  if (typeof root === "string") return context.skip(root);
  const mirror = mirrorIn(root);
  const folder = join(root.path, "mirror", `latest-v${MAJOR}.x`);
  const sums = `${"0".repeat(64)}  node-${process.version}-linux-${ARCH}.tar.gz\n`;
  writeFileSync(join(folder, "SHASUMS256.txt"), sums);
  const session = root.session;
  rmSync(join(root.path, "usr/local/bin/node"));
  writeFileSync(join(root.path, "usr/bin/node"), "#!/bin/sh\necho v12.22.9\n", { mode: 0o755 });
  const results = await runSteps(session, WORKFLOW, { nodeVersion: MAJOR, nodeMirror: mirror }, "third");
  expect(results.at(-1)).toMatchObject({ name: "node", exitCode: 1 });
  expect(results.at(-1)?.output).toMatch(/^Node.js v12.22.9 is too old\n.*FAILED/s);
});

const ARCH = process.arch === "arm64" ? "arm64" : "x64";

/** Laid out like nodejs.org/dist, inside the root. */
function mirrorIn({ path }: DebianRoot): string {
  const name = `node-${process.version}-linux-${ARCH}`;
  const release = join(path, "mirror", `latest-v${MAJOR}.x`);
  const content = join(path, "mirror", name);
  mkdirSync(join(content, "bin"), { recursive: true });
  mkdirSync(release, { recursive: true });
  cpSync(realpathSync(process.execPath), join(content, "bin/node"));
  const npm = execFileSync("sh", ["-c", 'readlink -f "$(command -v npm)"'], { encoding: "utf8" }).trim();
  cpSync(dirname(dirname(npm)), join(content, "lib/node_modules/npm"), { recursive: true, dereference: true });
  execFileSync("ln", ["-sf", "../lib/node_modules/npm/bin/npm-cli.js", join(content, "bin/npm")]);
  execFileSync("tar", ["-czf", join(release, `${name}.tar.gz`), "-C", join(path, "mirror"), name]);
  const sums = execFileSync("sha256sum", [`${name}.tar.gz`], { cwd: release, encoding: "utf8" });
  writeFileSync(join(release, "SHASUMS256.txt"), sums);
  return "file:///mirror";
}
