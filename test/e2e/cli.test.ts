// The command as users have it: the built file, in a process of its own, over real sockets.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Listening, listen } from "../../api/listen.ts";
import { systemClock } from "../../controller/kernel/clock.ts";
import { type InstanceStatus, instanceKind } from "../../crds/instance.ts";
import { workflowRunKind } from "../../crds/workflow-run.ts";
import { instance, type TestApi, testApi, WORKFLOWS, workflow } from "../api/test-api.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "flywheel-cli-"));
const command = join(folder, "flywheel.cjs");
let server: TestApi;
let listening: Listening;

beforeAll(async () => {
  buildCommand();
  server = await testApi();
  listening = await listen(server.api, { host: "127.0.0.1", port: 0, clock: systemClock });
});

afterAll(async () => {
  await listening?.close(1000);
  rmSync(folder, { recursive: true });
});

/** By package.json's own line, so that what is tested is what is shipped. */
function buildCommand(): void {
  const manifest: { scripts: Record<string, string> } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const script = manifest.scripts["build:cli"] ?? "";
  const line = script.replace(/--outfile=\S+/, `--outfile="${command}"`);
  const path = `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}`;
  execFileSync("sh", ["-c", line], { cwd: ROOT, env: { PATH: path } });
}

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  return spawned(process.execPath, [command, ...args], { FLYWHEEL_SERVER: listening.url, ...environment });
}

function spawned(program: string, args: readonly string[], environment: Readonly<Record<string, string>>) {
  const child = spawn(program, args, { env: { PATH: process.env.PATH ?? "", HOME: folder, ...environment } });
  const text = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (data: string) => {
    text.out += data;
  });
  child.stderr.setEncoding("utf8").on("data", (data: string) => {
    text.err += data;
  });
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, ...text })));
  return { child, ended, text };
}

const run = (args: readonly string[], stdin = "", environment: Readonly<Record<string, string>> = {}) => {
  const { child, ended } = start(args, environment);
  child.stdin.end(stdin);
  return ended;
};

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 20) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`never happened: ${what}`);
}

const make = (name: string) => server.admission.create(instanceKind, instance(name, {}, { namespace: "default" }));
const box = (name: string, spec: object = {}) => JSON.stringify(instance(name, spec));

describe("the built command", () => {
  test("creates, waits for, shows and deletes over a real socket", async () => {
    expect(await run(["apply", "-f", "-"], box("dev-box"))).toEqual({
      code: 0,
      out: "instance/dev-box created\n",
      err: "",
    });
    const waiting = start(["wait", "instance/dev-box", "--for=condition=Ready", "--timeout=20s"]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const condition = { type: "Ready", status: "True", reason: "Running", message: "", observedGeneration: 1 } as const;
    const status: InstanceStatus = { conditions: [{ ...condition, lastTransitionTime: "2026-01-01T00:00:00Z" }] };
    await server.store.updateStatus(instanceKind, { namespace: "default", name: "dev-box" }, () => status);
    expect(await waiting.ended).toEqual({ code: 0, out: "instance/dev-box condition met\n", err: "" });
    expect((await run(["get", "inst"])).out).toMatch(
      /^NAME {6}READY {3}REASON {4}STATE .*\ndev-box {3}True {4}Running {3}/,
    );
    expect((await run(["get", "inst", "dev-box", "-o", "yaml"])).out).toContain("kind: Instance\n");
    expect(await run(["delete", "inst", "dev-box"])).toMatchObject({ code: 0, out: "instance/dev-box deleted\n" });
  });

  test("says what to do when no server is there, and ends with 1", async () => {
    const { code, out, err } = await run(["get", "inst", "--server", "http://127.0.0.1:1"]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("cannot reach http://127.0.0.1:1: connection refused. Start a server with `npm start`");
  });

  test("colours nothing off a terminal, unless asked to", async () => {
    const plain = await run(["get", "pods"]);
    expect(plain.err).not.toContain("\u001b[");
    expect((await run(["get", "pods"], "", { FORCE_COLOR: "1" })).err).toContain("\u001b[31merror:");
    expect((await run(["get", "pods"], "", { FORCE_COLOR: "1", NO_COLOR: "1" })).err).toBe(plain.err);
  });

  test("ends quietly when its reader does", async () => {
    await Promise.all(Array.from({ length: 50 }, (_, index) => make(`box-${index}`)));
    const line = `"${process.execPath}" "${command}" get inst -o yaml | head -1`;
    const { out, err } = await spawned("sh", ["-c", line], { FLYWHEEL_SERVER: listening.url }).ended;
    expect({ out, err }).toEqual({ out: "apiVersion: v1\n", err: "" });
  });

  test("a watch shows a change at once and ends at Ctrl-C", async () => {
    const watch = start(["get", "inst", "-w", "-o", "name"]);
    await until(() => watch.text.out.includes("instance/box-1\n"), "the list");
    await make("late");
    await until(() => watch.text.out.includes("instance/late\n"), "the event");
    watch.child.kill("SIGINT");
    expect((await watch.ended).code).toBe(130);
  });

  test("follows a run whose output comes piece by piece, and goes away without it at Ctrl-C", async () => {
    const spec = { instances: { box: {} }, steps: [{ name: "one", run: "true" }] };
    await server.send("POST", WORKFLOWS, workflow("build", spec));
    const following = start(["run", "build"]);
    await until(() => following.text.err.includes("created"), "the run");
    const [created] = (await server.store.list(workflowRunKind)).items;
    if (!created) throw new Error("there is no run");
    const steps = [{ name: "one", state: "Running" as const, attempts: 1 }];
    const key = { namespace: "default", name: created.metadata.name };
    await server.store.updateStatus(workflowRunKind, key, () => ({ steps }));
    for (const [index, text] of ["a\n", "b\n", "c\n"].entries()) {
      await server.logs.append(`${created.metadata.uid}/one/1/stdout`, index * 2, new TextEncoder().encode(text));
      await until(() => following.text.out.endsWith(`one | ${text}`), text);
    }
    following.child.kill("SIGINT");
    const { code, out, err } = await following.ended;
    expect(code).toBe(130);
    expect(out).toBe("one | a\none | b\none | c\n");
    expect(err).toContain(`flywheel logs ${created.metadata.name} -f`);
  });

  test("starts in little more than Node.js itself takes", () => {
    const time = (args: readonly string[]) => {
      const took = Array.from({ length: 11 }, () => {
        const begin = process.hrtime.bigint();
        spawnSync(process.execPath, args);
        return Number(process.hrtime.bigint() - begin) / 1e6;
      });
      return Math.min(...took);
    };
    const [bare, ours] = [time(["-e", "0"]), time([command, "version", "--client"])];
    // Measured: 48 and 60 ms. The bound is wide for busy machines, and narrow enough to notice a heavy import.
    expect(ours).toBeLessThan(bare * 2);
  });
});

describe.runIf(existsSync("/usr/bin/openssl"))("TLS (with openssl)", () => {
  test("a server with a certificate of its own is trusted by FLYWHEEL_CA_FILE, and only so", async () => {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const subject = ["-subj", "/CN=flywheel", "-addext", "subjectAltName=IP:127.0.0.1"];
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    execFileSync("/usr/bin/openssl", ["req", ...kind, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
    const tls = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
    const secure = await listen(server.api, { host: "127.0.0.1", port: 0, clock: systemClock, tls });
    try {
      const environment = { FLYWHEEL_SERVER: secure.url };
      const refused = await run(["get", "ns"], "", environment);
      expect(refused.code).toBe(1);
      expect(refused.err).toContain("is not trusted");
      expect(refused.err).toContain("FLYWHEEL_CA_FILE");
      const trusted = await run(["get", "ns", "-o", "name"], "", { ...environment, FLYWHEEL_CA_FILE: cert });
      expect(trusted).toEqual({ code: 0, out: "namespace/default\n", err: "" });
      const missing = await run(["get", "ns"], "", { ...environment, FLYWHEEL_CA_FILE: "/nowhere.pem" });
      expect(missing.err).toContain('cannot read "/nowhere.pem"');
    } finally {
      await secure.close(1000);
    }
  });
});

describe.runIf(existsSync("/usr/bin/kubectl"))("beside kubectl", () => {
  const kubectl = (args: readonly string[], input: string) => {
    const all = ["--server", listening.url, "--cache-dir", join(folder, "kube-cache"), ...args];
    const { child, ended } = spawned("/usr/bin/kubectl", all, {});
    child.stdin.end(input);
    return ended;
  };

  test("both may apply the same object, and each finds unchanged what the other applied", async () => {
    const manifest = box("shared", { env: { SCRIPT: "a 2>&1 <b &" } });
    const next = box("shared", { ttl: "8h" });
    const file = join(folder, "shared.json");
    const apply = ["apply", "-f", "-"];
    expect((await kubectl(apply, manifest)).out).toContain("shared created");
    expect((await run(["apply", "-f", "-"], manifest)).out).toBe("instance/shared unchanged\n");
    writeFileSync(file, next);
    expect((await run(["apply", "-f", file])).out).toBe("instance/shared configured\n");
    expect((await kubectl(apply, next)).out).toContain("shared unchanged");
    const { body } = await server.send("GET", "/apis/fly.lightfast.ai/v1/namespaces/default/instances/shared");
    expect(body.spec).toMatchObject({ ttl: "8h" });
    expect(body.spec).not.toHaveProperty("env");
  });
});
