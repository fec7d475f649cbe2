// The built-in workflow against real repositories: what arrives there is what counts.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type LocalMachine, localMachine } from "./local-session.ts";
import { builtIn, runSteps } from "./workflow-scripts.ts";

const WORKFLOW = builtIn("git-clone-and-push");

describe("git-clone-and-push", () => {
  let machine: LocalMachine;
  let origin: string;

  beforeEach(() => {
    machine = localMachine();
    origin = join(machine.folder, "origin.git");
    git(machine.folder, "init", "-q", "--bare", "-b", "main", origin);
  });
  afterEach(() => machine.remove());

  function git(folder: string, ...words: string[]): string {
    const env = { PATH: process.env.PATH, HOME: join(machine.folder, "home"), GIT_CONFIG_NOSYSTEM: "1" };
    return execFileSync("git", words, { cwd: folder, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  }
  function seed(): void {
    const folder = join(machine.folder, "seed");
    git(machine.folder, "clone", "-q", origin, folder);
    git(folder, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "first");
    git(folder, "push", "-q", "origin", "HEAD");
  }
  const run = (values: Record<string, string>) =>
    runSteps(machine.session(), WORKFLOW, { repoUrl: origin, wait: "0", ...values });

  test("what the script changes is committed and pushed, under our identity and the given message", async () => {
    seed();
    const message = 'It\'s "done" — $HOME `id`';
    const results = await run({ changes: "echo 'new line' > file.txt", message });
    expect(results.map(({ name, exitCode }) => [name, exitCode])).toEqual(
      ["prepare", "clone", "change", "wait", "push"].map((name) => [name, 0]),
    );
    expect(git(origin, "log", "-1", "--format=%s|%an|%ae|%cn", "main")).toBe(
      `${message}|Flywheel|flywheel@localhost|Flywheel`,
    );
    expect(git(origin, "show", "main:file.txt")).toBe("new line");
  });

  test("nothing to commit is success and says so", async () => {
    seed();
    const before = git(origin, "rev-parse", "main");
    const push = (await run({})).find((each) => each.name === "push");
    expect(push?.exitCode).toBe(0);
    expect(push?.output).toContain("nothing to commit");
    expect(git(origin, "rev-parse", "main")).toBe(before);
  });

  test("an empty repository gets its first commit, or is left alone", async () => {
    expect((await run({})).at(-1)).toMatchObject({ name: "push", exitCode: 0 });
    const again = await runSteps(
      machine.session(),
      WORKFLOW,
      { repoUrl: origin, wait: "0", changes: "touch a" },
      "again",
    );
    expect(again.at(-1)).toMatchObject({ name: "push", exitCode: 0 });
    expect(git(origin, "ls-tree", "--name-only", "main")).toBe("a");
  });

  test("a branch that exists is worked on, and one that does not is made", async () => {
    seed();
    expect((await run({ branch: "topic", changes: "touch one" })).at(-1)?.exitCode).toBe(0);
    const more = { repoUrl: origin, wait: "0", branch: "topic", changes: "touch two" };
    expect((await runSteps(machine.session(), WORKFLOW, more, "more")).at(-1)?.exitCode).toBe(0);
    expect(git(origin, "ls-tree", "--name-only", "topic").split("\n")).toEqual(["one", "two"]);
    expect(git(origin, "ls-tree", "--name-only", "main")).toBe("");
  });

  test("commits that the script makes itself are pushed", async () => {
    seed();
    await run({ changes: "touch a; git add a; git commit -q -m mine" });
    expect(git(origin, "log", "-1", "--format=%s", "main")).toBe("mine");
  });

  test("what others push while we wait is kept", async () => {
    seed();
    const seeded = join(machine.folder, "seed");
    const changes = `touch ours; cd ${seeded}; touch theirs; git add .; git -c user.name=B -c user.email=b@c commit -q -m theirs; git push -q`;
    expect((await run({ changes })).at(-1)).toMatchObject({ name: "push", exitCode: 0 });
    expect(git(origin, "ls-tree", "--name-only", "main").split("\n")).toEqual(["ours", "theirs"]);
  });

  test("a script that fails ends the run there", async () => {
    seed();
    const results = await run({ changes: "touch a; false; touch b" });
    expect(results.at(-1)).toMatchObject({ name: "change", exitCode: 1 });
    expect(git(origin, "ls-tree", "--name-only", "main")).toBe("");
  });

  test("credentials of a URL are used and shown nowhere", async () => {
    const results = await run({ repoUrl: "http://user:s3cr3t@127.0.0.1:1/x.git" });
    const clone = results.at(-1);
    expect(clone?.name).toBe("clone");
    expect(clone?.exitCode).not.toBe(0);
    expect(clone?.output).toContain("127.0.0.1:1/x.git");
    expect(clone?.output).not.toContain("s3cr3t");
    const kept = readFileSync(join(machine.root, "runs/e2e/work/credentials"), "utf8");
    expect(kept).toBe("http://user:s3cr3t@127.0.0.1:1\n");
  });
});
