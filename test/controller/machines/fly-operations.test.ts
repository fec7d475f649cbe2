// Every request that the client sends is one that Fly describes: path, method, query, and each property of the body with its
// type. The operations beside this file are those of Fly's OpenAPI description (May 2026) that we call.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { HttpRequest } from "../../../controller/kernel/http.ts";
import { isJsonObject } from "../../../controller/kernel/json.ts";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { flyMachines } from "../../../controller/machines/client.ts";
import type { Machines } from "../../../controller/machines/machines.ts";
import { machineConfig } from "../../../controller/reconcilers/instance-config.ts";
import { anInstance, CONTROLLER_ID, KEYS } from "../../instance-fixture.ts";
import { virtualClock } from "../../virtual-clock.ts";
import { machineBody, type Scripted, scriptedHttp } from "./scripted-http.ts";

interface Operation {
  readonly query: readonly string[];
  /** Property names with their type; `*` for names that are free; one item for lists. */
  readonly body?: unknown;
}

const OPERATIONS: Readonly<Record<string, Operation>> = JSON.parse(
  readFileSync(new URL("fly-operations.json", import.meta.url), "utf8"),
);
/** Described by Fly since August 2026. */
const NEWER_QUERY: Readonly<Record<string, RegExp>> = {
  "GET /apps/{app_name}/machines": /^(limit|cursor|metadata\..+)$/,
};

const never = new AbortController().signal;
const CONFIG = machineConfig(
  anInstance({
    command: ["sleep", "inf"],
    env: { A: "b" },
    files: [{ guest_path: "/a", raw_value: "YQ==", mode: 420 }],
    services: [{ protocol: "tcp", internal_port: 80, ports: [{ port: 80, handlers: ["http"] }], autostop: "off" }],
    restart: { policy: "on-failure", max_retries: 3 },
  }),
  CONTROLLER_ID,
  KEYS,
);

const CALLS: readonly {
  readonly name: string;
  readonly answers?: Scripted[];
  call(machines: Machines): Promise<unknown>;
}[] = [
  { name: "ensureApp", answers: [{ status: 404 }, {}], call: (m) => m.ensureApp("shop", "acme", never) },
  {
    name: "list",
    answers: [{ body: "[]", headers: { "fly-next-cursor": "c" } }, { body: "[]" }],
    call: (m) => m.list("shop", { includeDeleted: true, metadata: { "flywheel-uid": "u" } }, never),
  },
  { name: "get", call: (m) => m.get("shop", "1", never) },
  {
    name: "create",
    call: (m) => m.create("shop", { name: "w", region: "iad", config: CONFIG, skipLaunch: true }, never),
  },
  {
    name: "update",
    call: (m) => m.update("shop", "1", { config: CONFIG, currentVersion: "0", skipLaunch: true }, never),
  },
  { name: "start", call: (m) => m.start("shop", "1", never) },
  { name: "stop", call: (m) => m.stop("shop", "1", never) },
  { name: "suspend", call: (m) => m.suspend("shop", "1", never) },
  { name: "destroy", call: (m) => m.destroy("shop", "1", never) },
  { name: "wait", call: (m) => m.wait("shop", "1", "settled", 1000, never) },
  { name: "exec", call: (m) => m.exec("shop", "1", ["/bin/sh", "-c", "true"], 1000, never) },
  { name: "patchMetadata", call: (m) => m.patchMetadata("shop", "1", { a: "b" }, never) },
  {
    name: "patchMetadata key by key",
    answers: [{ status: 405 }, {}],
    call: (m) => m.patchMetadata("shop", "1", { a: "b", c: null }, never),
  },
];

describe("requests as Fly describes them", () => {
  test.each(CALLS)("$name", async ({ call, answers }) => {
    const http = scriptedHttp(...(answers ?? [{ body: machineBody() }]));
    const clock = virtualClock();
    await call(flyMachines({ http, baseUrl: "http://f", token: "t", clock, random: seededRandom(1), listPageSize: 9 }));
    expect(http.requests.length).toBeGreaterThan(0);
    expect(http.requests.flatMap(problems)).toEqual([]);
  });

  test("a request that Fly does not describe is found", () => {
    const request = (method: HttpRequest["method"], path: string, body?: unknown): HttpRequest => ({
      method,
      url: `http://f/v1${path}`,
      headers: {},
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    expect(problems(request("PUT", "/apps/shop/machines/1/start"))).toHaveLength(1);
    expect(problems(request("GET", "/apps/shop/machines?nope=1"))).toHaveLength(1);
    expect(problems(request("POST", "/apps/shop/machines", { config: { guest: { cpu: 1 } } }))).toHaveLength(1);
    expect(problems(request("POST", "/apps/shop/machines/1/exec", { timeout: "1s" }))).toHaveLength(1);
  });
});

function problems(request: HttpRequest): string[] {
  const url = new URL(request.url);
  const found = Object.entries(OPERATIONS).find(([key]) => matches(key, `${request.method} ${url.pathname.slice(3)}`));
  if (!found) return [`${request.method} ${url.pathname} is not described`];
  const [key, operation] = found;
  const query = [...url.searchParams.keys()].filter(
    (name) => !operation.query.includes(name) && !NEWER_QUERY[key]?.test(name),
  );
  const body: unknown = request.body === undefined ? {} : JSON.parse(request.body);
  return [...query.map((name) => `${key}: query ${name}`), ...unknowns(body, operation.body ?? {}, key)];
}

function matches(key: string, line: string): boolean {
  return new RegExp(`^${key.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(line);
}

function unknowns(value: unknown, described: unknown, at: string): string[] {
  if (Array.isArray(described)) {
    return Array.isArray(value)
      ? value.flatMap((item) => unknowns(item, described[0], `${at}[]`))
      : [`${at}: not a list`];
  }
  if (!isJsonObject(described)) return isOfType(value, described) ? [] : [`${at}: not of type ${described}`];
  if (!isJsonObject(value)) return [`${at}: not an object`];
  return Object.entries(value).flatMap(([name, member]) => {
    const type = described[name] ?? described["*"];
    return type === undefined ? [`${at}.${name}`] : unknowns(member, type, `${at}.${name}`);
  });
}

function isOfType(value: unknown, type: unknown): boolean {
  if (type === "integer") return Number.isInteger(value);
  return type === "any" || typeof value === type;
}
