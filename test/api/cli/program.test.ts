// What holds for all verbs: help, versions, tokens, and words for what goes wrong.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { runProgram } from "../../../api/cli/program.ts";
import { VERSION } from "../../../api/cli/version.ts";
import { outage, testCli } from "./test-cli.ts";

const VERBS = "apply create get describe diff wait delete exec run logs cancel version".split(" ");

describe("help", () => {
  test("without a verb it teaches, and is no error", async () => {
    const cli = await testCli();
    const { code, out, err } = await cli.run([]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const verb of VERBS) expect(out).toMatch(new RegExp(`^  ${verb} `, "m"));
    expect(out).toContain("First steps:");
    expect((await cli.run("--help")).out).toBe(out);
    expect(cli.requests).toEqual([]);
  });

  test.each(VERBS.filter((verb) => verb !== "version"))(
    "help %s has an example that begins with the verb",
    async (verb) => {
      const cli = await testCli();
      const { code, out } = await cli.run(`help ${verb}`);
      expect(code).toBe(0);
      expect(out).toMatch(new RegExp(`flywheel ${verb} `));
      expect(out).toContain("--server <url>");
    },
  );
});

describe("version", () => {
  test("is the package's", () => {
    const manifest: { version: string } = JSON.parse(
      readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
    );
    expect(VERSION).toBe(manifest.version);
  });

  test("shows the server's too, and works without one when asked", async () => {
    const cli = await testCli();
    expect((await cli.run("version")).out).toBe(`Client: ${VERSION}\nServer: 0.1.0 at http://127.0.0.1:3000\n`);
    expect(JSON.parse((await cli.run("version -o json")).out)).toEqual({
      client: { version: VERSION },
      server: { version: "0.1.0" },
    });
    cli.requests.length = 0;
    expect((await cli.run("version --client")).out).toBe(`Client: ${VERSION}\n`);
    expect((await cli.run("--version")).out).toBe(`${VERSION}\n`);
    expect(cli.requests).toEqual([]);
  });
});

describe("the server", () => {
  test("that is not there is named, with what to do", async () => {
    const cli = await testCli();
    cli.fault = outage;
    const { code, err } = await cli.run("get instances --server http://127.0.0.1:9", {
      environment: { FLYWHEEL_SERVER: "http://127.0.0.1:8" },
    });
    expect(code).toBe(1);
    expect(err).toBe(
      "error: cannot reach http://127.0.0.1:9: connection refused. Start a server with `npm start`, or name another with --server or FLYWHEEL_SERVER.\n",
    );
  });

  test("is asked with the token of the flag, of FLYWHEEL_TOKEN, or of API_KEY", async () => {
    const cli = await testCli({ apiKey: "right-key" });
    const refused = await cli.run("get instances");
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("FLYWHEEL_TOKEN");
    const right = { FLYWHEEL_TOKEN: "right-key", API_KEY: "wrong-key" };
    expect(await cli.run("get instances", { environment: right })).toMatchObject({ code: 0 });
    expect(await cli.run("get instances", { environment: { API_KEY: "right-key" } })).toMatchObject({ code: 0 });
    expect(await cli.run("get instances --token right-key", { environment: { API_KEY: "x" } })).toMatchObject({
      code: 0,
    });
    expect(await cli.run("get instances --token wrong", { environment: right })).toMatchObject({ code: 1 });
  });

  test("that is slow for ever is given up", async () => {
    const cli = await testCli();
    const silent = cli.start("get instances");
    const terminal = { ...cli.clock, sleep: (ms: number, signal: AbortSignal) => cli.clock.sleep(ms, signal) };
    silent.interrupt();
    expect((await silent.ended).code).toBe(130);
    const err: string[] = [];
    const hanging = runProgram(
      ["get", "instances"],
      {
        environment: {},
        colors: false,
        write: () => undefined,
        drained: () => Promise.resolve(),
        runServer: () => Promise.resolve(0),
        writeError: () => undefined,
        note: (line) => void err.push(line),
        readStdin: async () => "",
        interrupted: new AbortController().signal,
        now: terminal.now,
        sleep: terminal.sleep,
      },
      ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    await cli.clock.advance(60_000);
    expect(await hanging).toBe(1);
    expect(err.join()).toContain("did not answer within 60s");
  });

  test.each(["localhost:3000", "ftp://x", "nonsense"])("must be a URL: %s is none", async (server) => {
    const cli = await testCli();
    expect(await cli.run(["get", "inst", "--server", server])).toMatchObject({
      code: 1,
      err: expect.stringContaining("is not a URL"),
    });
  });

  test("may be mounted below a path", async () => {
    const cli = await testCli();
    await cli.run("get inst --server http://127.0.0.1:3000/fleet/");
    expect(cli.requests[0]).toMatch(/^GET \/fleet\/apis\//);
  });
});

describe("describe", () => {
  test("shows spec, status, conditions and events on one page", async () => {
    const cli = await testCli();
    const { instanceKind } = await import("../../../crds/instance.ts");
    const { eventKind } = await import("../../../crds/event.ts");
    const made = await cli.admission.create(instanceKind, {
      apiVersion: "fly.lightfast.ai/v1",
      kind: "Instance",
      metadata: { name: "web", namespace: "default", labels: { team: "a" } },
      spec: { ttl: "8h" },
    });
    const condition = { type: "Ready", status: "False" as const, reason: "NoCapacity", message: "no room in iad" };
    const time = "2026-01-01T00:00:00Z";
    await cli.store.updateStatus(instanceKind, { namespace: "default", name: "web" }, () => ({
      conditions: [{ ...condition, observedGeneration: 1, lastTransitionTime: time }],
    }));
    const { uid } = made.metadata;
    await cli.store.create(eventKind, () => ({
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "web.1", namespace: "default" },
      involvedObject: { kind: "Instance", namespace: "default", name: "web", uid },
      type: "Warning",
      reason: "CreateFailed",
      message: "no room",
      count: 3,
      lastTimestamp: time,
    }));
    await cli.clock.advance(200_000);
    const { code, out } = await cli.run("describe inst web");
    expect(code).toBe(0);
    expect(out).toMatch(
      /^Name: +web\nNamespace: +default\nKind: +Instance \(fly.lightfast.ai\/v1\)\nLabels: +team=a\n/,
    );
    expect(out).toContain("Spec:\n");
    expect(out).toContain("  ttl: 8h\n");
    expect(out).toMatch(/Ready +False +3m20s ago +NoCapacity +no room in iad/);
    expect(out).toMatch(/Warning +CreateFailed +3m20s ago \(3 times\) +no room/);
    expect((await cli.run("describe inst nothing")).code).toBe(1);
  });
});
