import { describe, expect, test } from "vitest";
import { REALISTIC } from "../../../controller/emulator/knobs.ts";
import { emulated, path, SLEEPER, TOKEN } from "./emulated.ts";

const ids = (text: string) => (JSON.parse(text) as { id: string }[]).map(({ id }) => id); // a list of machines

describe("who may call", () => {
  const get = (headers: Record<string, string>, url = "http://127.0.0.1:4280/v1/apps?org_slug=x") =>
    emulated().app.request(url, { headers: { authorization: `Bearer ${TOKEN}`, ...headers } });

  test.each<[Record<string, string>, number, string]>([
    [{}, 200, "a program on this computer"],
    [{ authorization: "" }, 401, "no token"],
    [{ authorization: "Bearer wrong" }, 401, "a wrong token"],
    [{ authorization: `Bearer FlyV1 ${TOKEN}` }, 200, "the scheme of Fly's own tokens"],
    [{ authorization: `FlyV1 ${TOKEN}` }, 200, "the scheme alone"],
    [{ host: "evil.example" }, 403, "a name that was made to resolve to loopback"],
    [{ host: "localhost:4280" }, 200, "a loopback name"],
    [{ origin: "https://evil.example" }, 403, "a foreign page"],
    [{ origin: "http://localhost:9" }, 200, "a page of this computer"],
    [{ origin: "null" }, 403, "a page without an origin"],
    [{ "sec-fetch-site": "cross-site" }, 403, "what a browser says of itself"],
  ])("%o is answered %i: %s", async (headers, status) => {
    expect((await get(headers)).status).toBe(status);
  });

  test("a foreign name in the URL is refused too", async () => {
    expect((await get({}, "http://evil.example/v1/apps?org_slug=x")).status).toBe(403);
  });

  test("no answer permits other origins to read it", async () => {
    const answer = await get({ origin: "http://localhost:9" });
    expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  test("a form is no JSON", async () => {
    const fly = emulated();
    const headers = { "content-type": "text/plain" };
    expect((await fly.call("POST", "/apps", { name: "a", org_slug: "x" }, headers)).status).toBe(415);
  });

  test("every answer carries a request id, refusals too", async () => {
    const fly = emulated();
    const answer = await fly.call("GET", "/apps/none", undefined, { authorization: "Bearer wrong" });
    expect(answer.headers["fly-request-id"]).toMatch(/^[0-9A-Z]{26}-iad$/);
    expect(answer.json).toEqual({ error: "Authenticate: token validation error" });
  });
});

describe("apps", () => {
  test("both names of the name are understood, a taken one is refused, the same key finds the first", async () => {
    const fly = emulated();
    const first = await fly.call("POST", "/apps", { app_name: "a", org_slug: "o", idempotency_key: "k" });
    expect(first).toMatchObject({ status: 201, json: { id: "a" } });
    expect(await fly.call("POST", "/apps", { name: "a", org_slug: "o" })).toMatchObject({
      status: 422,
      json: { status: "name_taken", error: "Validation failed: Name has already been taken" },
    });
    expect((await fly.call("POST", "/apps", { name: "a", org_slug: "o", idempotency_key: "k" })).status).toBe(201);
    expect((await fly.call("POST", "/apps", { name: "A_", org_slug: "o" })).status).toBe(422);
  });

  test("a new app may be absent for a moment", async () => {
    const fly = emulated({ knobs: { appLagMs: 1000 } });
    await fly.call("POST", "/apps", { name: "a", org_slug: "o" });
    expect((await fly.call("GET", "/apps/a")).status).toBe(404);
    await fly.clock.advance(1000);
    expect((await fly.call("GET", "/apps/a")).status).toBe(200);
  });

  test("another organisation's app is forbidden, not absent", async () => {
    const fly = emulated();
    fly.cloud.createApp({ name: "theirs", organization: "somebody-else" });
    expect((await fly.call("GET", "/apps/theirs")).status).toBe(403);
  });

  test("deleting one takes its machines and volumes along", async () => {
    const fly = emulated();
    const id = await fly.started();
    await fly.call("POST", "/apps/a/volumes", { name: "data", region: "iad" });
    expect(await fly.call("DELETE", "/apps/a")).toMatchObject({ status: 202, text: "" });
    expect(await fly.call("GET", "/apps/a")).toMatchObject({ status: 404, json: { error: "Could not find App" } });
    expect((await fly.call("POST", "/apps/a/machines", { config: SLEEPER })).status).toBe(404);
    await fly.clock.runUntil(() => fly.cloud.allMachines().every(({ phase }) => phase === "destroyed"));
    expect(fly.guests.running.has(id)).toBe(false);
  });
});

describe("what create refuses", () => {
  test.each([
    [{ guest: { cpu_kind: "shared", cpus: 3, memory_mb: 1024 } }, "invalid config.guest.cpus"],
    [
      { guest: { cpu_kind: "shared", cpus: 4, memory_mb: 512 } },
      "invalid config.guest.memory_mb, minimum required 1024 MiB",
    ],
    [
      { guest: { cpu_kind: "shared", cpus: 1, memory_mb: 4096 } },
      "invalid config.guest.memory_mb, cannot exceed 2048 MiB",
    ],
    [{ guest: { cpu_kind: "shared", cpus: 1, memory_mb: 300 } }, "multiple of 256"],
    [{ size: "shared-cpu-3x" }, "invalid machine size"],
    [{ image: "" }, "config.image is required"],
    [{ stop_config: { timeout: "soon" } }, "not a duration"],
    [{ files: [{ guest_path: "etc/x" }] }, "must be absolute"],
  ])("%o", async (config, message) => {
    const fly = emulated();
    await fly.call("POST", "/apps", { name: "a", org_slug: "o" });
    const answer = await fly.call("POST", "/apps/a/machines", { config: { ...SLEEPER, ...config } });
    expect(answer.status).toBe(400);
    expect(answer.json.error).toContain(message);
  });

  test("a name that a living machine has, and says which; a destroyed one's is free", async () => {
    const fly = emulated();
    const id = await fly.started({ name: "box" });
    expect(await fly.call("POST", "/apps/a/machines", { name: "box", config: SLEEPER })).toMatchObject({
      status: 409,
      json: {
        error: `already_exists: unique machine name violation, machine ID ${id} already exists with name "box"`,
      },
    });
    await fly.call("DELETE", path(id, "?force=true"));
    await fly.reach(id, "destroyed");
    expect(await fly.create({ name: "box" })).not.toBe(id);
  });

  test("a full region, unless another of the list has room", async () => {
    const fly = emulated();
    fly.cloud.faults.fullRegions = ["ams", "iad"];
    await fly.call("POST", "/apps", { name: "a", org_slug: "o" });
    const create = (region: string) => fly.call("POST", "/apps/a/machines", { region, config: SLEEPER });
    expect(await create("ams")).toMatchObject({ status: 422, json: { status: "insufficient_capacity" } });
    expect((await create("ams,cdg")).json.region).toBe("cdg");
    expect((await create("us")).json.region).toBe("ewr");
    expect((await create("xxx")).status).toBe(400);
    fly.cloud.faults.capacityAs503 = true;
    expect((await create("ams")).status).toBe(503);
  });

  test("an unknown image", async () => {
    const fly = emulated();
    await fly.call("POST", "/apps", { name: "a", org_slug: "o" });
    const answer = await fly.call("POST", "/apps/a/machines", { config: { image: "ubuntu:missing" } });
    expect(answer.json.error).toContain("MANIFEST_UNKNOWN");
  });

  test("a start or an update that the host has no room for", async () => {
    const fly = emulated();
    const id = await fly.started();
    fly.cloud.faults.fullHosts = true;
    const answer = await fly.call("POST", path(id), { config: SLEEPER });
    expect(answer.status).toBe(409);
    expect(answer.json.error).toMatch(/^aborted: could not reserve resource for machine: insufficient memory/);
    expect(await fly.state(id)).toBe("started");
  });
});

test("a config comes back as Fly rewrites it", async () => {
  const fly = emulated();
  const config = { ...SLEEPER, size: "shared-cpu-2x", stop_config: { timeout: 10_000_000_000 } };
  const id = await fly.create({ config });
  const seen = (await fly.call("GET", path(id))).json.config;
  expect(seen).toMatchObject({
    guest: { cpu_kind: "shared", cpus: 2, memory_mb: 512 },
    stop_config: { timeout: "10s" },
    restart: { policy: "on-failure" },
  });
  expect(seen).not.toHaveProperty("size");
});

describe("reading", () => {
  test("ids: malformed 400, unknown 404, destroyed 200", async () => {
    const fly = emulated();
    const id = await fly.started();
    expect(await fly.call("GET", path("12345"))).toMatchObject({
      status: 400,
      json: { error: "invalid machine ID, '12345'" },
    });
    expect((await fly.call("GET", path("00000000000000"))).status).toBe(404);
    await fly.call("DELETE", path(id, "?force=true"));
    await fly.reach(id, "destroyed");
    expect(ids((await fly.call("GET", "/apps/a/machines")).text)).toEqual([]);
    expect(ids((await fly.call("GET", "/apps/a/machines?include_deleted=true")).text)).toEqual([id]);
  });

  test("lists are filtered by metadata, region and state", async () => {
    const fly = emulated();
    const a = await fly.started({ region: "ams", config: { ...SLEEPER, metadata: { team: "x", tier: "1" } } });
    const b = await fly.started({ region: "iad", config: { ...SLEEPER, metadata: { team: "x" } } });
    const list = async (query: string) => ids((await fly.call("GET", `/apps/a/machines?${query}`)).text);
    expect(await list("metadata.team=x")).toEqual([a, b]);
    expect(await list("metadata.team=x&metadata.tier=1")).toEqual([a]);
    expect(await list("region=iad")).toEqual([b]);
    expect(await list("state=stopped,suspended")).toEqual([]);
    const [summary] = JSON.parse((await fly.call("GET", "/apps/a/machines?summary=true")).text);
    for (const key of ["config", "checks", "events", "host_status"]) expect(summary).not.toHaveProperty(key);
  });

  test.each([false, true])("pages end with no cursor, also when some are short or empty (%s)", async (short) => {
    const fly = emulated();
    const all: string[] = [];
    for (let each = 0; each < 5; each++) all.push(await fly.create());
    fly.cloud.faults.shortPages = short;
    const found: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const query = `limit=2${cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`}`;
      const answer = await fly.call("GET", `/apps/a/machines?${query}`);
      found.push(...ids(answer.text));
      cursor = answer.headers["fly-next-cursor"];
      pages += 1;
    } while (cursor !== undefined && pages < 50);
    expect(found).toEqual(all);
    expect(pages).toBe(short ? 10 : 3);
  });

  test("a lagging list misses the new and shows old states; by id all is as it is", async () => {
    const fly = emulated({ knobs: { listLagMs: 1000 } });
    const id = await fly.started();
    const list = async () => JSON.parse((await fly.call("GET", "/apps/a/machines")).text);
    expect(await list()).toEqual([]);
    await fly.clock.advance(1000);
    await fly.call("POST", path(id, "/stop"), { signal: "SIGKILL" });
    await fly.reach(id, "stopped");
    expect(await list()).toMatchObject([{ state: "started" }]);
    await fly.clock.advance(1000);
    expect(await list()).toMatchObject([{ state: "stopped" }]);
  });

  test("the realistic profile hides a new machine for a moment", async () => {
    const fly = emulated({ knobs: { ...REALISTIC, rateLimit: false, appLagMs: 0 } });
    const id = await fly.create();
    expect((await fly.call("GET", path(id))).status).toBe(404);
    await fly.clock.advance(500);
    expect((await fly.call("GET", path(id))).status).toBe(200);
  });

  test("an empty list although machines exist", async () => {
    const fly = emulated();
    const id = await fly.started();
    fly.cloud.faults.emptyList = true;
    expect(await fly.call("GET", "/apps/a/machines")).toMatchObject({ status: 200, text: "[]" });
    expect(await fly.state(id)).toBe("started");
  });

  test("the organisation's machines", async () => {
    const fly = emulated();
    const id = await fly.started();
    const { json } = await fly.call("GET", "/orgs/personal/machines");
    expect(json.machines).toMatchObject([{ id, app_name: "a", state: "started" }]);
  });
});

describe("wait", () => {
  test.each(["0", "61", "abc"])("timeout %s is out of range", async (timeout) => {
    const fly = emulated();
    const id = await fly.create();
    expect(await fly.call("GET", path(id, `/wait?timeout=${timeout}`))).toMatchObject({
      status: 400,
      json: {
        error: "invalid_argument: invalid WaitMachineRequest.Timeout: value must be inside range [1s, 1m0s]",
      },
    });
  });

  test("blocks for the whole timeout, then 408", async () => {
    const fly = emulated({ knobs: { delays: { create: 60_000 } } });
    const id = await fly.create();
    let answered = false;
    const wait = fly.call("GET", path(id, "/wait?timeout=5")).finally(() => {
      answered = true;
    });
    await fly.clock.advance(4999);
    expect(answered).toBe(false);
    await fly.clock.advance(1);
    expect(await wait).toMatchObject({
      status: 408,
      json: { error: "deadline_exceeded: machine failed to reach desired state, started, currently created" },
    });
  });

  test("answers the moment the state is reached, and not with a machine", async () => {
    const fly = emulated();
    const id = await fly.create();
    const wait = fly.call("GET", path(id, "/wait?state=stopped&state=started&timeout=60"));
    await fly.clock.advance(800);
    const { status, json } = await wait;
    expect(status).toBe(200);
    expect(Object.keys(json).sort()).toEqual(["event_id", "ok", "state", "version"]);
    expect(json).toMatchObject({ ok: true, state: "started" });
  });

  test.each(["settled", "suspended,stopped"])("understands %s", async (states) => {
    const fly = emulated();
    const id = await fly.create({ skip_launch: true });
    const wait = fly.call("GET", path(id, `/wait?state=${states}&timeout=60`));
    await fly.clock.advance(2000);
    expect(await wait).toMatchObject({ status: 200, json: { state: "stopped" } });
  });

  test("for destroyed", async () => {
    const fly = emulated();
    const id = await fly.started();
    await fly.call("DELETE", path(id, "?force=true"));
    const wait = fly.call("GET", path(id, "/wait?state=destroyed&timeout=10"));
    await fly.clock.advance(400);
    expect(await wait).toMatchObject({ status: 200, json: { state: "destroyed" } });
    expect((await fly.call("GET", path(id, "/wait?state=started&timeout=10"))).status).toBe(404);
  });
});

describe("leases", () => {
  test("keep others out until they end", async () => {
    const fly = emulated();
    const id = await fly.started();
    const taken = await fly.call("POST", path(id, "/lease"), { ttl: 30, description: "deploy" });
    expect(taken).toMatchObject({ status: 201, json: { status: "success" } });
    const { nonce } = JSON.parse(taken.text).data;
    const refused = await fly.call("POST", path(id, "/stop"));
    expect(refused.status).toBe(409);
    expect(refused.json).toMatchObject({ status: "error" });
    expect(refused.json.message).toMatch(
      new RegExp(`^machine ID ${id} lease currently held by \\S+, expires at 2026-01-01T00:00:\\d\\dZ$`),
    );
    for (const [method, rest] of [
      ["POST", "/start"],
      ["POST", "/lease"],
      ["DELETE", "?force=true"],
    ] as const) {
      expect((await fly.call(method, path(id, rest), method === "POST" ? {} : undefined)).status).toBe(409);
    }
    const holder = { "fly-machine-lease-nonce": nonce };
    expect((await fly.call("POST", path(id, "/lease"), { ttl: 30 }, holder)).status).toBe(201);
    expect((await fly.call("POST", path(id, "/stop"), {}, holder)).status).toBe(200);
    await fly.clock.advance(30_000);
    expect(await fly.call("DELETE", path(id, "/lease"), undefined, holder)).toMatchObject({
      status: 404,
      json: { error: "lease not found" },
    });
    expect((await fly.call("POST", path(id, "/start"))).status).toBe(200);
  });

  test("taken at create give their nonce once", async () => {
    const fly = emulated();
    await fly.call("POST", "/apps", { name: "a", org_slug: "o" });
    const created = (await fly.call("POST", "/apps/a/machines", { config: SLEEPER, lease_ttl: 10 })).json;
    expect(created.nonce).toMatch(/^[0-9a-f]+$/);
    const seen = (await fly.call("GET", path(String(created.id), "?include_leases=true"))).json;
    expect(seen).not.toHaveProperty("nonce");
    expect(seen.lease).toMatchObject({ owner: expect.any(String) });
  });
});

describe("exec", () => {
  test("a failing command is an answer, not an error; words of cmd reach no shell", async () => {
    const fly = emulated({
      guests: {
        exec: async (_, command, stdin) => ({
          code: 3,
          signal: 0,
          stdout: JSON.stringify([command, stdin]),
          stderr: "e",
        }),
      },
    });
    const id = await fly.started();
    const answer = await fly.call("POST", path(id, "/exec"), { cmd: "ls && pwd", stdin: "lost" });
    expect(answer).toMatchObject({ status: 200, json: { exit_code: 3, stderr: "e" } });
    expect(answer.json.stdout).toBe('[["ls","&&","pwd"],""]');
  });

  test("over its time it is 408, not started it is 412", async () => {
    const fly = emulated({
      guests: {
        exec: (_1, _2, _3, signal) =>
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      },
    });
    const id = await fly.create();
    const run = () => fly.call("POST", path(id, "/exec"), { command: ["sleep", "9"], timeout: 2 });
    expect((await run()).status).toBe(412);
    await fly.reach(id, "started");
    const answer = run();
    await fly.clock.advance(2000);
    expect(await answer).toMatchObject({ status: 408 });
    expect((await answer).json.error).toMatch(/^deadline_exceeded/);
  });
});

describe("limits and faults", () => {
  test("one call a second with a burst of three, per action and machine", async () => {
    const fly = emulated({ knobs: { rateLimit: true } });
    const id = await fly.create();
    const stop = async () => (await fly.call("POST", path(id, "/stop"))).status;
    expect([await stop(), await stop(), await stop(), await stop()]).toEqual([412, 412, 412, 429]);
    expect((await fly.call("POST", path(id, "/start"))).status).toBe(412);
    await fly.clock.advance(1000);
    expect(await stop()).toBe(200);
    const limited = await fly.call("POST", path(id, "/stop"));
    expect(limited).toMatchObject({ status: 429, json: { error: "rate limit exceeded" } });
    expect(limited.headers["retry-after"]).toBeUndefined();
    const gets: number[] = [];
    for (let each = 0; each < 11; each++) gets.push((await fly.call("GET", path(id))).status);
    expect(gets.filter((status) => status === 429)).toHaveLength(1);
  });

  test("gateway faults answer without acting", async () => {
    const fly = emulated();
    await fly.call("POST", "/apps", { name: "a", org_slug: "o" });
    fly.cloud.faults.gateway = { reply: "504", actions: ["create"], times: 1 };
    const answer = await fly.call("POST", "/apps/a/machines", { config: SLEEPER });
    expect(answer).toMatchObject({ status: 504, text: "upstream request timeout" });
    expect(fly.cloud.allMachines()).toHaveLength(0);
    expect((await fly.call("POST", "/apps/a/machines", { config: SLEEPER })).status).toBe(200);
  });

  test.each(["408", "503", "504", "drop"] as const)(
    "ambiguous %s: the effect happens, the answer is lost",
    async (reply) => {
      const fly = emulated();
      await fly.call("POST", "/apps", { name: "a", org_slug: "o" });
      fly.cloud.faults.ambiguous = { reply, actions: ["create"] };
      const answer = fly.call("POST", "/apps/a/machines", { config: SLEEPER });
      if (reply === "drop") await expect(answer).rejects.toThrow("socket hang up");
      else expect((await answer).status).toBe(Number(reply));
      expect(fly.cloud.allMachines()).toHaveLength(1);
    },
  );

  test("faults are switched over HTTP too, and unknown ones are refused", async () => {
    const fly = emulated();
    const post = (body: unknown) =>
      fly.app.request("http://127.0.0.1/_emulator/faults", {
        method: "POST",
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    expect((await post({ emptyList: true, fullRegions: ["iad"] })).status).toBe(200);
    expect(fly.cloud.faults).toEqual({ emptyList: true, fullRegions: ["iad"] });
    await post({ emptyList: null });
    expect(fly.cloud.faults).toEqual({ fullRegions: ["iad"] });
    expect((await post({ emptylist: true })).status).toBe(400);
  });
});

test("a volume belongs to one machine until that is destroyed", async () => {
  const fly = emulated();
  await fly.call("POST", "/apps", { name: "a", org_slug: "o" });
  const volume = String((await fly.call("POST", "/apps/a/volumes", { name: "data", region: "iad" })).json.id);
  const config = { ...SLEEPER, mounts: [{ volume, path: "/data" }] };
  const id = await fly.create({ config });
  const second = await fly.call("POST", "/apps/a/machines", { config });
  expect(second).toMatchObject({ status: 412 });
  expect(second.json.error).toContain(`volume already claimed by machine ${id}`);
  expect((await fly.call("DELETE", `/apps/a/volumes/${volume}`)).status).toBe(412);
  await fly.call("DELETE", path(id, "?force=true"));
  await fly.reach(id, "destroyed");
  expect((await fly.call("DELETE", `/apps/a/volumes/${volume}`)).status).toBe(200);
  expect((await fly.call("POST", "/apps/a/volumes", { name: "data", region: "eu" })).status).toBe(400);
});
