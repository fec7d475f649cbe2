// The real kubectl, with a home and a cache of its own: what it prints, and how it exits.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Environment, type Program, startProgram } from "./program.ts";

export interface Printed {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Kubectl {
  (...words: readonly string[]): Promise<Printed>;
  /** What a command prints that succeeds without a warning; it throws otherwise. */
  out(...words: readonly string[]): Promise<string>;
  /** The message of a command that is refused and prints nothing; it throws otherwise. */
  refusal(...words: readonly string[]): Promise<string>;
  with(options: KubectlOptions, ...words: readonly string[]): Promise<Printed>;
  start(...words: readonly string[]): Program;
  /** Writes a manifest, or several, to a file; answers its path. */
  file(name: string, ...objects: readonly object[]): string;
}

interface KubectlOptions {
  readonly env?: Environment;
  readonly stdin?: string;
}

/** Why there is none; undefined when there is one. */
export function noKubectl(): string | undefined {
  const { error } = spawnSync("kubectl", ["version", "--client"], { stdio: "ignore" });
  return error && `kubectl is not installed: ${error.message}`;
}

/** Against the server that `url` names when a command starts; `home` is a directory to write to. */
export function kubectlAt(url: () => string, home: string): Kubectl {
  mkdirSync(home, { recursive: true });

  function start(words: readonly string[], { env = {}, stdin = "" }: KubectlOptions = {}): Program {
    const args = ["--server", url(), "--cache-dir", join(home, "cache"), ...words];
    return startProgram("kubectl", args, { cwd: home, env: { KUBECONFIG: join(home, "none"), ...env }, stdin });
  }

  async function run(options: KubectlOptions, ...words: readonly string[]): Promise<Printed> {
    const { code, out, err } = await start(words, options).ended;
    return { code, stdout: out, stderr: err };
  }

  async function expected(
    what: string,
    meets: (printed: Printed) => boolean,
    words: readonly string[],
  ): Promise<Printed> {
    const printed = await run({}, ...words);
    if (meets(printed)) return printed;
    throw new Error(`not ${what}: kubectl ${words.join(" ")}\n${JSON.stringify(printed, null, 2)}`);
  }

  return Object.assign((...words: readonly string[]) => run({}, ...words), {
    async out(...words: readonly string[]) {
      return (await expected("done", ({ code, stderr }) => code === 0 && stderr === "", words)).stdout;
    },
    async refusal(...words: readonly string[]) {
      return (await expected("refused", ({ code, stdout }) => code === 1 && stdout === "", words)).stderr;
    },
    with: run,
    start: (...words: readonly string[]) => start(words),
    file(name: string, ...objects: readonly object[]): string {
      const path = join(home, `${name}.json`);
      writeFileSync(path, objects.map((each) => JSON.stringify(each)).join("\n"));
      return path;
    },
  });
}
