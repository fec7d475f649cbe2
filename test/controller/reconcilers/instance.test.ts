// The instance controller against the emulated cloud, on virtual time: first what goes wrong, then what goes right.
import { afterEach, describe, expect, test } from "vitest";
import { CREATED_DEADLINE_MS } from "../../../controller/limits.ts";
import { instanceKind } from "../../../crds/instance.ts";
import { instanceWorld, type TestWorld } from "../../instance-world.ts";

let world: TestWorld;
afterEach(() => world.close());

const MINUTE = 60_000;

describe("making a machine", () => {
  test("an instance becomes Ready with a machine of its own, and nothing more is written or called", async () => {
    world = await instanceWorld();
    await world.apply("box");
    await world.until("box", "Ready", MINUTE);
    const box = await world.get("box");
    expect(box?.status).toMatchObject({
      effectiveMode: "Running",
      provisioning: { incarnation: 1, region: "iad" },
      machine: { state: "started", region: "iad" },
    });
    expect(world.live().map(({ id }) => id)).toEqual([box?.status?.machine?.id]);

    await world.clock.advance(10_000);
    const revision = await world.database.store.revision();
    world.calls.length = 0;
    await world.clock.advance(10 * MINUTE);
    expect(await world.database.store.revision()).toBe(revision);
    expect(new Set(world.calls)).toEqual(new Set(["GET /machines"]));
  });

  test("a reply that is lost is resolved by looking, not by asking again", async () => {
    world = await instanceWorld();
    world.faults.ambiguous = { reply: "drop", actions: ["create"], times: 1 };
    await world.apply("box");
    await world.until("box", "Ready", MINUTE);
    expect(world.live()).toHaveLength(1);
    expect(world.calls.filter((call) => call === "POST /machines")).toHaveLength(1);
  });

  test("a call that had no effect is sent again only after two looks over the settle window", async () => {
    world = await instanceWorld();
    world.faults.gateway = { reply: "504", actions: ["create"], times: 1 };
    await world.apply("box");
    await world.until("box", "Unconfirmed", MINUTE);
    const began = world.clock.monotonic();
    await world.until("box", "Ready", 5 * MINUTE);
    expect(world.clock.monotonic() - began).toBeGreaterThanOrEqual(29_000);
    expect(world.live()).toHaveLength(1);
  });

  test("a controller killed while the reply is out finds the machine that the call made", async () => {
    let reply: Promise<unknown> | undefined;
    world = await instanceWorld({
      between(request, send) {
        if (request.method !== "POST" || !request.url.endsWith("/machines") || reply) return send();
        reply = send();
        return new Promise(() => undefined); // the answer never arrives
      },
    });
    await world.apply("box");
    await world.clock.runUntil(() => reply !== undefined, MINUTE);
    await world.restart();
    await world.until("box", "Ready", 2 * MINUTE);
    expect(world.live()).toHaveLength(1);
  });

  test("no room in the region: the next one is asked at once, and the machine lands there", async () => {
    world = await instanceWorld();
    world.faults.fullRegions = ["iad"];
    await world.apply("box", { fallbackRegions: ["ord", "ewr"] });
    await world.until("box", "Ready", MINUTE);
    expect((await world.get("box"))?.status?.machine?.region).toBe("ord");
  });

  test("no room anywhere is said, and tried again by itself", async () => {
    world = await instanceWorld();
    world.faults.fullRegions = ["iad", "ord"];
    await world.apply("box", { fallbackRegions: ["ord"] });
    await world.until("box", "NoCapacity", MINUTE);
    await world.clock.advance(5_000);
    expect((await world.ready("box"))?.message).toContain("iad, ord");
    delete world.faults.fullRegions;
    await world.until("box", "Ready", 2 * MINUTE);
  });

  test("a request that Fly refuses is reported with its words and not repeated hot", async () => {
    world = await instanceWorld();
    await world.apply("box", { image: "registry.example/missing:1" });
    await world.until("box", "Refused", MINUTE);
    expect((await world.ready("box"))?.message).toMatch(/MANIFEST_UNKNOWN/);
    world.calls.length = 0;
    await world.clock.advance(10 * MINUTE);
    expect(world.calls.filter((call) => call === "POST /machines").length).toBeLessThan(8);
  });

  test("a machine that Fly leaves in created is given up and made again, never two at once", async () => {
    world = await instanceWorld();
    world.faults.stuckPulls = true;
    await world.apply("box");
    await world.clock.advance(4 * MINUTE);
    expect((await world.ready("box"))?.reason).toBe("Creating");
    await world.clock.runUntil(
      async () => (await world.events()).some(({ reason }) => reason === "Replacing"),
      5 * MINUTE,
    );
    delete world.faults.stuckPulls;
    await world.until("box", "Ready", 10 * MINUTE);
    expect(world.live()).toHaveLength(1);
    expect((await world.get("box"))?.status?.provisioning?.incarnation).toBe(2);
  });

  test("a clock of ours that is set back does not put off what is to be tried again", async () => {
    world = await instanceWorld();
    world.faults.fullRegions = ["iad"];
    await world.apply("box");
    await world.until("box", "NoCapacity", MINUTE);
    await world.restart(); // what the former process would do by itself is gone
    world.jump(-60 * MINUTE);
    delete world.faults.fullRegions;
    await world.until("box", "Ready", 10 * MINUTE);
  });

  test("a clock of ours that is set ahead makes no machine look stuck", async () => {
    world = await instanceWorld();
    world.faults.stuckPulls = true;
    await world.apply("box");
    await world.clock.advance(30_000);
    world.jump(60 * MINUTE);
    await world.clock.advance(30_000);
    delete world.faults.stuckPulls;
    await world.until("box", "Ready", MINUTE);
    expect((await world.get("box"))?.status?.provisioning?.incarnation).toBe(1);
  });

  test("a machine that has started while the confirming read was on its way is not replaced", async () => {
    let [held, readMs] = [0, 0];
    world = await instanceWorld({
      async between(request, send) {
        const response = await send();
        if (request.method !== "GET" || !/\/machines\/\w+$/.test(request.url)) return response;
        const confirms = world.clock.monotonic() - readMs < 100; // right after the read that the decision rests on
        readMs = world.clock.monotonic();
        if (held > 0 || !confirms || readMs < CREATED_DEADLINE_MS) return response;
        held += 1;
        expect(JSON.parse(response.body).state).toBe("created");
        delete world.faults.stuckPulls;
        await world.clock.sleep(25_000);
        return response;
      },
    });
    world.faults.stuckPulls = true;
    await world.apply("box");
    await world.clock.runUntil(() => held > 0, 10 * MINUTE);
    await world.until("box", "Ready", MINUTE);
    expect((await world.get("box"))?.status?.provisioning?.incarnation).toBe(1);
    expect(world.calls.filter((call) => call.startsWith("DELETE"))).toEqual([]);
  });
});

describe("what Fly says is not always so", () => {
  test("one empty list makes nothing", async () => {
    world = await instanceWorld();
    await world.apply("box");
    await world.until("box", "Ready", MINUTE);
    world.faults.emptyList = true;
    world.calls.length = 0;
    await world.clock.advance(5 * MINUTE);
    expect(world.calls).not.toContain("POST /machines");
    expect((await world.ready("box"))?.status).toBe("True");
    expect(world.calls.includes("GET /machines")).toBe(true);
  });

  test("when everything vanishes at once, from lists and by id, nothing is made or deleted", async () => {
    let lying = false;
    world = await instanceWorld({
      async between({ method, url }, send) {
        if (!lying || method !== "GET") return send();
        const list = new URL(url).pathname.endsWith("/machines");
        return list
          ? { status: 200, headers: {}, body: "[]" }
          : { status: 404, headers: {}, body: '{"error":"machine not found"}' };
      },
    });
    const names = Array.from({ length: 6 }, (_, index) => `box-${index}`);
    for (const name of names) await world.apply(name);
    for (const name of names) await world.until(name, "Ready", MINUTE);
    lying = true;
    world.calls.length = 0;
    await world.clock.advance(6_000);
    expect(world.fleet.breaker.open).toBe(true);
    await world.remove("box-0");
    await world.clock.advance(2_000);
    expect(world.calls.filter((call) => !call.startsWith("GET"))).toEqual([]);
    lying = false;
    await world.gone("box-0", MINUTE);
    await world.until("box-1", "Ready", MINUTE);
    expect(world.live()).toHaveLength(5);
    expect(world.calls).not.toContain("POST /machines");
  });

  test("a machine destroyed behind our back is made again, once", async () => {
    world = await instanceWorld();
    await world.apply("box");
    await world.until("box", "Ready", MINUTE);
    const first = (await world.get("box"))?.status?.machine?.id ?? "";
    await world.machines.destroy("workers", first, new AbortController().signal);
    await world.clock.runUntil(
      async () => (await world.get("box"))?.status?.provisioning?.incarnation === 2,
      2 * MINUTE,
    );
    await world.until("box", "Ready", 2 * MINUTE);
    expect(world.live().map(({ id }) => id)).not.toContain(first);
    expect(world.live()).toHaveLength(1);
  });

  test("a machine stopped behind our back is started again", async () => {
    world = await instanceWorld();
    await world.apply("box");
    await world.until("box", "Ready", MINUTE);
    const id = (await world.get("box"))?.status?.machine?.id ?? "";
    await world.machines.stop("workers", id, new AbortController().signal);
    await world.clock.runUntil(async () => (await world.ready("box"))?.status === "False", MINUTE);
    await world.until("box", "Ready", MINUTE);
    expect((await world.get("box"))?.status?.machine?.id).toBe(id);
  });

  test("an unreachable host is left alone and said to be so", async () => {
    world = await instanceWorld();
    await world.apply("box");
    await world.until("box", "Ready", MINUTE);
    world.faults.unreachable = ["*"];
    await world.until("box", "HostUnreachable", MINUTE);
    expect((await world.ready("box"))?.status).toBe("Unknown");
    world.calls.length = 0;
    await world.clock.advance(10 * MINUTE);
    expect(world.calls.filter((call) => !call.startsWith("GET"))).toEqual([]);
    delete world.faults.unreachable;
    await world.until("box", "Ready", MINUTE);
  });

  test("two machines of one uid are reduced to the one in status", async () => {
    world = await instanceWorld();
    await world.apply("box");
    await world.until("box", "Ready", MINUTE);
    const [kept] = world.live();
    if (!kept?.config) throw new Error("no machine");
    await world.machines.create(
      "workers",
      { name: "twin", region: "iad", config: kept.config },
      new AbortController().signal,
    );
    await world.clock.runUntil(() => world.live().length === 1, MINUTE);
    expect(world.live()[0]?.id).toBe(kept.id);
    expect((await world.events()).map(({ reason }) => reason)).toContain("DuplicateReaped");
  });

  test("machines that carry another controller's id are never touched", async () => {
    world = await instanceWorld();
    const foreign = await world.machines.create(
      "workers",
      {
        name: "theirs",
        region: "iad",
        config: {
          image: "ubuntu",
          init: { exec: ["sleep", "inf"] },
          metadata: { "flywheel-controller": "other", "flywheel-uid": "u" },
        },
      },
      new AbortController().signal,
    );
    await world.apply("box");
    await world.until("box", "Ready", MINUTE);
    await world.remove("box");
    await world.gone("box", MINUTE);
    expect(world.live().map(({ id }) => id)).toEqual([foreign.id]);
  });
});

describe("changing a machine", () => {
  test("somebody who edits all the time does not keep it from being Ready", async () => {
    world = await instanceWorld();
    await world.apply("box");
    for (let turn = 0; turn < 150; turn += 1) {
      await world.edit("box", { ttl: `${turn + 1}h` });
      await world.clock.advance(200);
    }
    expect((await world.ready("box"))?.reason).toBe("Ready");
    expect(world.calls.filter((call) => call.startsWith("PATCH")).length).toBeLessThan(6);
  });

  test("an edit of env and of what only our metadata holds: never called as specified before env is there", async () => {
    world = await instanceWorld();
    await world.apply("box");
    await world.until("box", "Ready", MINUTE);
    const told: string[] = [];
    const watching = new AbortController();
    const follow = async () => {
      for await (const { object } of world.store.watch(
        instanceKind,
        { since: await world.store.revision() },
        watching.signal,
      )) {
        const [machine] = world.live();
        const conditions = object.status?.conditions ?? [];
        const claimed = conditions.filter(
          ({ type, status, observedGeneration }) =>
            (type === "Ready" || type === "Synced") && status === "True" && observedGeneration === 2,
        );
        if (machine?.config.env?.A !== "1") told.push(...claimed.map(({ type }) => type));
      }
    };
    const followed = follow();
    await world.edit("box", { env: { A: "1" }, ttl: "9h" });
    await world.clock.advance(MINUTE);
    watching.abort();
    await followed;
    expect(told).toEqual([]);
    expect(world.live()[0]?.config.env?.A).toBe("1");
  });

  test("a change that restarts is announced in status before it is made", async () => {
    world = await instanceWorld();
    await world.apply("box");
    await world.until("box", "Ready", MINUTE);
    const announced: string[] = [];
    const before = (await world.get("box"))?.status?.machine;
    await world.edit("box", { env: { EDITOR: "vim" } });
    await world.clock.runUntil(async () => {
      const status = (await world.get("box"))?.status;
      if (status?.pending && status.machine?.instanceId === before?.instanceId) announced.push(status.pending.message);
      return status?.machine?.instanceId !== before?.instanceId && status?.machine?.state === "started";
    }, MINUTE);
    expect((await world.events()).find(({ reason }) => reason === "UpdateAnnounced")?.message).toBe(
      "updating env restarts the machine and erases its root file system",
    );
    await world.until("box", "Ready", MINUTE);
    const after = await world.get("box");
    expect(after?.status?.machine?.id).toBe(before?.id);
    expect(after?.status?.pending).toBeUndefined();
    expect(world.live()[0]?.config?.env).toEqual({ EDITOR: "vim" });
  });

  test("operatingMode Stopped and Suspended rest the machine, and Running brings the same one back", async () => {
    world = await instanceWorld();
    await world.apply("box");
    await world.until("box", "Ready", MINUTE);
    const id = (await world.get("box"))?.status?.machine?.id;
    for (const mode of ["Suspended", "Stopped"]) {
      await world.edit("box", { operatingMode: mode });
      await world.until("box", mode, MINUTE);
      expect(world.live()[0]?.state).toBe(mode.toLowerCase());
      await world.edit("box", { operatingMode: "Running" });
      await world.until("box", "Ready", MINUTE);
    }
    expect(world.live().map((each) => each.id)).toEqual([id]);
  });

  test("an unused instance is suspended when idle.after is over, and the spec stays as the user wrote it", async () => {
    world = await instanceWorld();
    await world.apply("box", { idle: { after: "10m" } });
    await world.until("box", "Ready", MINUTE);
    const spec = (await world.get("box"))?.spec;
    expect((await world.get("box"))?.status?.idle?.actsAt).toBeDefined();
    await world.until("box", "Idle", 11 * MINUTE);
    await world.clock.advance(MINUTE);
    const box = await world.get("box");
    expect(box?.status).toMatchObject({ effectiveMode: "Suspended", machine: { state: "suspended" } });
    expect(box?.spec).toEqual(spec);
  });

  test("ttl deletes the instance and its machine", async () => {
    world = await instanceWorld();
    await world.apply("box", { ttl: "10m" });
    await world.until("box", "Ready", MINUTE);
    await world.gone("box", 11 * MINUTE);
    expect(world.live()).toEqual([]);
  });
});

describe("deleting", () => {
  test.each([0, 100, 500, 900, 1500, 5000])("%i ms after apply leaves no machine", async (afterMs) => {
    world = await instanceWorld();
    await world.apply("box");
    await world.clock.advance(afterMs);
    await world.remove("box");
    await world.gone("box", 2 * MINUTE);
    await world.clock.advance(MINUTE);
    expect(world.live()).toEqual([]);
  });

  test.each(["Stopped", "Suspended"])("a %s machine is destroyed from there", async (mode) => {
    world = await instanceWorld();
    await world.apply("box");
    await world.until("box", "Ready", MINUTE);
    await world.edit("box", { operatingMode: mode });
    await world.until("box", mode, MINUTE);
    await world.remove("box");
    await world.gone("box", MINUTE);
    expect(world.live()).toEqual([]);
  });

  test("while a create is unresolved the instance stays, and a machine that appears late goes with it", async () => {
    let late: (() => Promise<unknown>) | undefined;
    world = await instanceWorld({
      between(request, send) {
        if (request.method !== "POST" || !request.url.endsWith("/machines") || late) return send();
        late = send;
        return Promise.reject(new Error("socket hang up"));
      },
    });
    await world.apply("box");
    await world.clock.runUntil(() => late !== undefined, MINUTE);
    await world.remove("box");
    await world.clock.advance(10_000);
    expect(await world.get("box")).toBeDefined();
    await late?.();
    await world.gone("box", 3 * MINUTE);
    expect(world.live()).toEqual([]);
  });

  test("deletionPolicy Orphan leaves the machine, with nothing of us on it", async () => {
    world = await instanceWorld();
    await world.apply("box", { deletionPolicy: "Orphan" });
    await world.until("box", "Ready", MINUTE);
    await world.remove("box");
    await world.gone("box", MINUTE);
    const [machine] = world.live();
    expect(machine?.state).toBe("started");
    expect(Object.keys(machine?.config?.metadata ?? {}).filter((key) => key.startsWith("flywheel-"))).toEqual([]);
  });
});
