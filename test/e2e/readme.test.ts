// README's commands, as they stand there, in a copy of the project: each one is run, or listed here with the reason why
// not. A command that does not work, or that nobody thought of, fails.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "./openssh.ts";
import { type Program, runProgram, startProgram } from "./program.ts";
import { endMachines, ROOT } from "./server.ts";

const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** Run elsewhere, or not to be run inside a test. */
const EXEMPT: Readonly<Record<string, string>> = {
  "npm ci && npm run demo": "demo.test.ts runs the demo; installing is what made this test run",
  "npm ci && npm test": "is what runs this",
  "npm run soak": "kill-loop.test.ts runs the same with ten kills",
  "npm run bench": "bench.test.ts runs it, shortened",
};
const NEEDS_ACCOUNT = /^fly |FLY_API_TOKEN=/;
const SERVER = "npm start";

const COMMANDS = commandsOf(README);
const RUN = COMMANDS.filter((each) => !(each in EXEMPT) && !NEEDS_ACCOUNT.test(each) && each !== SERVER);
const NOT_RUN = COMMANDS.filter((each) => each in EXEMPT || NEEDS_ACCOUNT.test(each));
console.log(
  `not run here:\n${NOT_RUN.map((each) => `  ${each}   (${EXEMPT[each] ?? "needs a Fly account"})`).join("\n")}`,
);

/** Everything in the blocks marked `sh`; a line that ends in a backslash goes on. */
function commandsOf(markdown: string): readonly string[] {
  const blocks = [...markdown.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
  const lines = blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, " ").split("\n"));
  return lines
    .map((line) => line.replace(/\s+# .*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** The one program of README's that a user may do without. */
const noKubectl = spawnSync("kubectl", ["--help"], { stdio: "ignore" }).error !== undefined;
if (noKubectl) console.log("skipped: kubectl is not installed");

describe("README", () => {
  let folder: string;
  let project: string;
  let port: number;
  let server: Program;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "flywheel-e2e-readme-"));
    project = join(folder, "flywheel");
    const left = new Set(["node_modules", ".git", "dist", "data", ".env"]);
    cpSync(ROOT, project, { recursive: true, filter: (path) => !left.has(basename(path)) });
    symlinkSync(join(ROOT, "node_modules"), join(project, "node_modules"));
    writeFileSync(join(folder, ".curlrc"), "fail-with-body\n"); // curl alone takes an error for an answer
    port = await freePort();
    expect(COMMANDS).toContain(SERVER);
    await expectSuccess("npm run build"); // as npm ci does
    server = startProgram("npm", ["start"], { cwd: project, env: environment() });
    await server.said(/listening on/);
  });
  afterAll(async () => {
    await server?.stop();
    await endMachines(join(project, "data/emulator"));
    rmSync(folder, { recursive: true, force: true });
  });

  const environment = () => ({
    HOME: folder,
    PORT: String(port),
    FLYWHEEL_SERVER: `http://127.0.0.1:${port}`,
    npm_config_offline: "true", // npx must find what it runs here
  });

  /** At a port that is free here, instead of the one that is the default. */
  async function expectSuccess(command: string): Promise<void> {
    const atPort = command.replaceAll(":3000", `:${port}`);
    const ended = await runProgram("sh", ["-c", atPort], { cwd: project, env: environment() });
    expect({ command, ...ended }).toEqual({
      command,
      code: 0,
      signal: null,
      out: expect.any(String),
      err: expect.any(String),
    });
    expect(ended.out).not.toBe(""); // every command of README shows something
  }

  test("has commands to run", () => {
    expect(RUN.length).toBeGreaterThan(5);
    expect(README).not.toMatch(/^```(bash|shell|console|zsh)$/m); // would not be looked at
  });

  for (const command of RUN) {
    test.skipIf(noKubectl && command.startsWith("kubectl "))(command, () => expectSuccess(command));
  }

  test("names only npm scripts that there are", () => {
    const manifest: { scripts: Record<string, string> } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const named = [...README.matchAll(/\bnpm (?:run (?:--silent )?([\w:-]+)|(test|start)\b)/g)];
    const scripts = named.map((match) => match[1] ?? match[2] ?? "");
    expect(scripts.filter((script) => !(script in manifest.scripts))).toEqual([]);
    expect(scripts).toContain("demo");
  });

  test("links only to files that there are", () => {
    const links = [...README.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map((match) => match[1] ?? "");
    const absent = links.filter((link) => spawnSync("test", ["-e", join(ROOT, link)]).status !== 0);
    expect(absent).toEqual([]);
  });
});
