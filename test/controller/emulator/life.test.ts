import { describe, expect, test } from "vitest";
import { emulated, path, SLEEPER } from "./emulated.ts";

interface Event {
  readonly type: string;
  readonly status: string;
  readonly source: string;
  readonly request: { exit_event: Record<string, unknown>; restart_count: number } | null;
}

async function events(cloud: ReturnType<typeof emulated>, id: string): Promise<readonly Event[]> {
  const answer = await cloud.call("GET", path(id, "/events"));
  return JSON.parse(answer.text);
}

describe("create", () => {
  test("answers at once in state created, with the shapes of Fly's identifiers, and starts by itself", async () => {
    const fly = emulated();
    await fly.call("POST", "/apps", { name: "a", org_slug: "personal" });
    const { status, json } = await fly.call("POST", "/apps/a/machines", { config: SLEEPER, region: "ams" });
    expect(status).toBe(200);
    expect(json).toMatchObject({ state: "created", region: "ams", host_status: "ok" });
    expect(json.id).toMatch(/^[0-9a-f]{14}$/);
    expect(json.version).toMatch(/^[0-9A-Z]{26}$/);
    expect(json.instance_id).toBe(json.version);
    expect(json.events).toMatchObject([{ type: "launch", status: "created", source: "user", request: null }]);
    await fly.clock.advance(799);
    expect(await fly.state(String(json.id))).toBe("created");
    await fly.clock.advance(1);
    expect(await fly.state(String(json.id))).toBe("started");
  });

  test("with skip_launch it settles as stopped and never starts", async () => {
    const fly = emulated();
    const id = await fly.create({ skip_launch: true });
    expect(await fly.state(id)).toBe("created");
    await fly.reach(id, "stopped");
    await fly.clock.advance(600_000);
    expect(await fly.state(id)).toBe("stopped");
    expect(fly.guests.running.size).toBe(0);
  });

  test("an image that is never pulled stays created until the fault ends", async () => {
    const fly = emulated();
    fly.cloud.faults.stuckPulls = true;
    const id = await fly.create();
    await fly.clock.advance(3_600_000);
    expect(await fly.state(id)).toBe("created");
    delete fly.cloud.faults.stuckPulls;
    await fly.reach(id, "started");
  });

  test("an image accepted too early fails at launch, saying so", async () => {
    const fly = emulated();
    fly.cloud.faults.lateImageErrors = true;
    const id = await fly.create({ config: { image: "registry.fly.io/a:missing" } });
    await fly.reach(id, "failed");
    expect(JSON.stringify((await events(fly, id))[0])).toContain("MANIFEST_UNKNOWN");
  });
});

describe("the main process of a stock image ends at once", () => {
  const image = "ubuntu:22.04";

  test("on-failure by default: exit 0 means stopped", async () => {
    const fly = emulated();
    const id = await fly.create({ config: { image } });
    await fly.reach(id, "stopped");
    const [exit] = await events(fly, id);
    expect(exit).toMatchObject({
      type: "exit",
      request: { exit_event: { exit_code: 0, requested_stop: false, restarting: false } },
    });
  });

  test("always: it loops, and the count rises", async () => {
    const fly = emulated();
    const id = await fly.create({ config: { image, restart: { policy: "always" } } });
    await fly.clock.advance(10_000);
    const counts = (await events(fly, id))
      .filter(({ type }) => type === "exit")
      .map(({ request }) => request?.restart_count);
    expect(counts[0]).toBeGreaterThan(3);
    expect(counts).toEqual([...counts].sort((a, b) => Number(b) - Number(a)));
  });

  test("auto_destroy: it vanishes, and waiting for stopped finds nothing", async () => {
    const fly = emulated();
    const id = await fly.create({ config: { image, auto_destroy: true } });
    const wait = fly.call("GET", path(id, "/wait?state=stopped&timeout=60"));
    await fly.clock.advance(10_000);
    expect((await wait).status).toBe(404);
    expect(await fly.state(id)).toBe("destroyed");
  });
});

describe("stop and start", () => {
  test("the stop signal comes first, SIGKILL after the timeout", async () => {
    const fly = emulated();
    const id = await fly.started();
    const stop = await fly.call("POST", path(id, "/stop"), { signal: "SIGTERM", timeout: "10s" });
    expect(stop).toMatchObject({ status: 200, json: { ok: true } });
    await fly.reach(id, "stopped");
    const exit = (await events(fly, id)).find(({ type }) => type === "exit");
    expect(exit?.request?.exit_event).toMatchObject({ requested_stop: true });
    expect((await fly.call("POST", path(id, "/stop"))).status).toBe(200);
  });

  test("a start too soon after the stop is refused, later it works and the disk is fresh", async () => {
    const fly = emulated();
    const id = await fly.started();
    await fly.call("POST", path(id, "/stop"));
    await fly.reach(id, "stopped");
    expect(await fly.call("POST", path(id, "/start"))).toMatchObject({
      status: 412,
      json: { error: "failed_precondition: machine still active, refusing to start" },
    });
    await fly.clock.advance(500);
    const start = await fly.call("POST", path(id, "/start"));
    expect(start).toMatchObject({ status: 200, json: { previous_state: "stopped" } });
    expect(await fly.state(id)).toBe("starting");
    await fly.reach(id, "started");
    expect(fly.guests.running.get(id)?.freshRoot).toBe(true);
  });

  test.each([
    ["restart", true, false],
    ["always", true, true],
    ["never", false, false],
  ])("rootfs.persist %s: kept over stop and start %s, over an update %s", async (persist, overStop, overUpdate) => {
    const fly = emulated();
    const config = { ...SLEEPER, rootfs: { persist } };
    const id = await fly.started({ config });
    expect(fly.guests.running.get(id)?.freshRoot).toBe(true);
    await fly.call("POST", path(id, "/stop"));
    await fly.reach(id, "stopped");
    await fly.clock.advance(1000);
    await fly.call("POST", path(id, "/start"));
    await fly.reach(id, "started");
    expect(fly.guests.running.get(id)?.freshRoot).toBe(!overStop);
    await fly.call("POST", path(id), { config });
    await fly.reach(id, "started");
    expect(fly.guests.running.get(id)?.freshRoot).toBe(!overUpdate);
  });
});

describe("suspend", () => {
  test("resumes the same guest", async () => {
    const fly = emulated();
    const id = await fly.started();
    const guest = fly.guests.running.get(id);
    await fly.call("POST", path(id, "/suspend"));
    expect(await fly.state(id)).toBe("suspending");
    await fly.reach(id, "suspended");
    await fly.call("POST", path(id, "/start"));
    await fly.reach(id, "started");
    expect(fly.guests.running.get(id)).toBe(guest);
  });

  test("boots afresh when the memory was lost, and a stop discards it", async () => {
    const fly = emulated();
    const id = await fly.started();
    const guest = fly.guests.running.get(id);
    await fly.call("POST", path(id, "/suspend"));
    await fly.reach(id, "suspended");
    fly.cloud.faults.coldResume = true;
    await fly.call("POST", path(id, "/start"));
    await fly.reach(id, "started");
    expect(fly.guests.running.get(id)).not.toBe(guest);
    await fly.call("POST", path(id, "/suspend"));
    await fly.reach(id, "suspended");
    await fly.call("POST", path(id, "/stop"));
    await fly.reach(id, "stopped");
    expect(fly.guests.running.size).toBe(0);
  });

  test("is refused over 2 GB of memory", async () => {
    const fly = emulated();
    const id = await fly.started({ config: { ...SLEEPER, guest: { cpu_kind: "shared", cpus: 2, memory_mb: 4096 } } });
    expect((await fly.call("POST", path(id, "/suspend"))).status).toBe(412);
  });
});

describe("update", () => {
  test("replaces the whole config, passes through stopped, and keeps name and region", async () => {
    const fly = emulated();
    const id = await fly.started({
      name: "box",
      region: "ams",
      config: { ...SLEEPER, services: [{ protocol: "tcp" }] },
    });
    const before = (await fly.call("GET", path(id))).json;
    const update = await fly.call("POST", path(id), { config: { ...SLEEPER, env: { A: "1" } } });
    expect(update.json).toMatchObject({ state: "replacing", name: "box", region: "ams", config: { env: { A: "1" } } });
    expect(update.json.version).not.toBe(before.version);
    expect(update.json.config).not.toHaveProperty("services");
    expect((await fly.call("POST", path(id, "/start"))).status).toBe(412);
    await fly.reach(id, "stopped");
    expect(await fly.call("POST", path(id, "/start"))).toMatchObject({
      status: 412,
      json: { error: "failed_precondition: machine getting replaced, refusing to start" },
    });
    await fly.reach(id, "started");
    const exit = (await events(fly, id)).find(({ type }) => type === "exit");
    expect(exit?.request?.exit_event).toMatchObject({ requested_stop: false });
    const old = await fly.call("GET", path(id, `?version=${String(before.version)}`));
    expect(old.json).toMatchObject({ state: "replaced", config: { services: [{ protocol: "tcp" }] } });
  });

  test("with a stale version changes nothing", async () => {
    const fly = emulated();
    const id = await fly.started();
    const answer = await fly.call("POST", path(id), { config: SLEEPER, current_version: "01AAAAAAAAAAAAAAAAAAAAAAAA" });
    expect(answer.status).toBe(409);
    expect(await fly.state(id)).toBe("started");
  });

  test("of a stopped machine with skip_launch leaves it stopped", async () => {
    const fly = emulated();
    const id = await fly.create({ skip_launch: true });
    await fly.reach(id, "stopped");
    await fly.call("POST", path(id), { config: SLEEPER, skip_launch: true });
    expect(await fly.state(id)).toBe("replacing");
    await fly.clock.advance(60_000);
    expect(await fly.state(id)).toBe("stopped");
  });

  test("of metadata needs neither restart nor version", async () => {
    const fly = emulated();
    const id = await fly.started({ config: { ...SLEEPER, metadata: { a: "1", b: "2" } } });
    const before = (await fly.call("GET", path(id))).json;
    const patch = { metadata: { b: null, c: "3" } };
    expect((await fly.call("PATCH", path(id, "/metadata"), patch)).status).toBe(204);
    expect((await fly.call("POST", path(id, "/metadata/d"), { value: "4" })).status).toBe(204);
    expect((await fly.call("GET", path(id, "/metadata"))).json).toEqual({ a: "1", c: "3", d: "4" });
    const stale = { ...patch, machine_version: "01AAAAAAAAAAAAAAAAAAAAAAAA" };
    expect((await fly.call("PATCH", path(id, "/metadata"), stale)).status).toBe(412);
    expect((await fly.call("GET", path(id))).json).toMatchObject({ state: "started", version: before.version });
  });
});

describe("delete", () => {
  test("without force a running machine is refused", async () => {
    const fly = emulated();
    const id = await fly.started();
    const error = "failed_precondition: unable to destroy machine, not currently stopped";
    expect(await fly.call("DELETE", path(id))).toMatchObject({ status: 412, json: { error } });
    fly.cloud.faults.destroyRefusedAs409 = true;
    expect((await fly.call("DELETE", path(id))).status).toBe(409);
  });

  test.each(["created", "started", "stopping", "suspended", "replacing"])("by force works from %s", async (phase) => {
    const fly = emulated();
    const id = await fly.create();
    if (phase !== "created") await fly.reach(id, "started");
    if (phase === "stopping") await fly.call("POST", path(id, "/stop"));
    if (phase === "suspended") await fly.call("POST", path(id, "/suspend"));
    if (phase === "replacing") await fly.call("POST", path(id), { config: SLEEPER });
    if (phase === "suspended") await fly.reach(id, phase);
    expect(await fly.state(id)).toBe(phase);
    expect(await fly.call("DELETE", path(id, "?force=true"))).toMatchObject({ status: 200, json: { ok: true } });
    expect(await fly.state(id)).toBe("destroying");
    await fly.reach(id, "destroyed");
    expect(fly.guests.running.size).toBe(0);
    await fly.clock.advance(600_000);
    expect(await fly.state(id)).toBe("destroyed");
    expect((await fly.call("DELETE", path(id, "?force=true"))).status).toBe(200);
  });

  test("on a host that cannot be reached waits for the host", async () => {
    const fly = emulated();
    const id = await fly.started();
    fly.cloud.faults.unreachable = [id];
    const seen = (await fly.call("GET", path(id))).json;
    expect(seen).toMatchObject({ host_status: "unreachable", incomplete_config: { image: "ubuntu:22.04" } });
    expect(seen).not.toHaveProperty("config");
    for (const command of ["/start", "/stop", "/exec"]) {
      expect((await fly.call("POST", path(id, command), { command: ["true"] })).status).toBe(503);
    }
    expect((await fly.call("DELETE", path(id, "?force=true"))).status).toBe(200);
    await fly.clock.advance(600_000);
    expect(await fly.state(id)).toBe("destroying");
    fly.cloud.faults.unreachable = [];
    await fly.reach(id, "destroyed");
  });
});

test("a migration keeps the id and changes the address", async () => {
  const fly = emulated();
  const id = await fly.started();
  const before = (await fly.call("GET", path(id))).json;
  fly.cloud.migrate(fly.cloud.machine("a", id));
  await fly.reach(id, "started");
  const after = (await fly.call("GET", path(id))).json;
  expect(after.private_ip).not.toBe(before.private_ip);
  expect(JSON.stringify(after.events)).toContain('"migrated":true');
});

test("seconds are counted by state", async () => {
  const fly = emulated();
  const id = await fly.started();
  await fly.clock.advance(10_000);
  await fly.call("POST", path(id, "/stop"), { signal: "SIGKILL" });
  await fly.reach(id, "stopped");
  await fly.clock.advance(20_000);
  const [usage] = fly.cloud.usage();
  expect(usage).toMatchObject({ id, seconds: { started: 10, stopped: 20, suspended: 0 } });
});
