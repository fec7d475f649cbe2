// What everything above relies on from the Machines client together with an API behind it: run on the emulated cloud in
// memory and over real HTTP.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Faults } from "../../controller/emulator/faults.ts";
import type { Machines } from "../../controller/machines/machines.ts";
import type { Machine, MachineConfig } from "../../controller/machines/wire.ts";

export interface MachinesWorld {
  readonly machines: Machines;
  /** Another client of the same API. */
  client(options: { readonly token?: string; readonly listPageSize?: number }): Machines;
  /** What goes wrong at the API from now on. */
  readonly faults: Faults;
  /** Lets the time pass that a call needs to come to its end. */
  finish<T>(work: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const APP = "workers";
const ORGANIZATION = "personal";
const SLEEPER: MachineConfig = { image: "ubuntu:22.04", init: { exec: ["/bin/sleep", "inf"] } };
const signal = new AbortController().signal;

export function machinesContract(label: string, open: () => Promise<MachinesWorld>): void {
  describe(`the Machines API, ${label}`, () => {
    let world: MachinesWorld;
    let machines: Machines;
    beforeEach(async () => {
      world = await open();
      machines = world.machines;
      await world.finish(machines.ensureApp(APP, ORGANIZATION, signal));
    });
    afterEach(() => world.close());

    const create = (name: string, config: Partial<MachineConfig> = {}) =>
      world.finish(machines.create(APP, { name, region: "iad", config: { ...SLEEPER, ...config } }, signal));
    const reach = async (id: string, state: Parameters<Machines["wait"]>[2]) => {
      expect(await world.finish(machines.wait(APP, id, state, 30_000, signal))).toBe(true);
    };
    const started = async (name: string, config: Partial<MachineConfig> = {}): Promise<Machine> => {
      const machine = await create(name, config);
      await reach(machine.id, "started");
      return machine;
    };
    const get = (id: string) => world.finish(machines.get(APP, id, signal));
    const failure = (work: Promise<unknown>) =>
      world.finish(
        work.then(
          (value) => expect.fail(`expected a failure, got ${JSON.stringify(value)}`),
          (error: unknown) => error,
        ),
      );

    test("an app that exists is as good as one that was made", async () => {
      await world.finish(machines.ensureApp(APP, ORGANIZATION, signal));
      expect(await world.finish(machines.list(APP, {}, signal))).toEqual([]);
    });

    test("a created machine starts, and is read with what it was given", async () => {
      const created = await create("web", { env: { A: "b" }, metadata: { owner: "u1" } });
      expect(created).toMatchObject({ name: "web", region: "iad" });
      await reach(created.id, "started");
      const read = await get(created.id);
      expect(read).toMatchObject({ id: created.id, state: "started", instance_id: created.instance_id });
      expect(read.config).toMatchObject({ image: "ubuntu:22.04", env: { A: "b" }, metadata: { owner: "u1" } });
      expect(read.private_ip).toBeTruthy();
    });

    test("a name that is taken says who has it", async () => {
      const first = await create("web");
      expect(await failure(create("web"))).toMatchObject({ class: "exists", machineId: first.id, ambiguous: false });
    });

    test("an id that never was is gone", async () => {
      for (const work of [
        () => machines.get(APP, "148e000000000a", signal),
        () => machines.start(APP, "148e000000000a", signal),
        () => machines.wait(APP, "148e000000000a", "started", 1000, signal),
        () => machines.patchMetadata(APP, "148e000000000a", { a: "b" }, signal),
      ]) {
        expect(await failure(work())).toMatchObject({ class: "gone" });
      }
      await world.finish(machines.destroy(APP, "148e000000000a", signal));
    });

    test("lists have all machines, or those whose metadata match in every pair", async () => {
      const a = await create("a", { metadata: { owner: "u1", role: "x" } });
      await create("b", { metadata: { owner: "u1" } });
      await create("c");
      const ids = async (metadata?: Record<string, string>) =>
        (await world.finish(machines.list(APP, metadata ? { metadata } : {}, signal))).map(({ name }) => name).sort();
      expect(await ids()).toEqual(["a", "b", "c"]);
      expect(await ids({ owner: "u1" })).toEqual(["a", "b"]);
      expect(await ids({ owner: "u1", role: "x" })).toEqual([a.name]);
    });

    test("a list in pages is the whole list", async () => {
      for (const name of ["a", "b", "c"]) await create(name);
      world.faults.shortPages = true;
      const paging = world.client({ listPageSize: 2 });
      const found = await world.finish(paging.list(APP, {}, signal));
      expect(found.map(({ name }) => name).sort()).toEqual(["a", "b", "c"]);
    });

    test("stops and starts, and a stopped machine may be stopped again", async () => {
      const { id } = await started("web");
      await world.finish(machines.stop(APP, id, signal));
      await reach(id, "stopped");
      await world.finish(machines.stop(APP, id, signal));
      await startSettled(id);
      await reach(id, "started");
    });

    /** Fly refuses a start for a moment after `stopped`; that is a conflict, and passes. */
    async function startSettled(id: string): Promise<void> {
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await world.finish(machines.start(APP, id, signal));
        } catch (error) {
          if (attempt > 10) throw error;
          expect(error).toMatchObject({ class: "conflict" });
          await world.finish(machines.wait(APP, id, "started", 1000, signal));
        }
      }
    }

    test("suspends and wakes", async () => {
      const { id } = await started("web");
      await world.finish(machines.suspend(APP, id, signal));
      await reach(id, "suspended");
      await startSettled(id);
      await reach(id, "started");
    });

    test("a start in the wrong state is a conflict", async () => {
      const { id } = await create("web");
      expect(await failure(machines.start(APP, id, signal))).toMatchObject({ class: "conflict" });
    });

    test("a wait that is not fulfilled is false", async () => {
      const { id } = await started("web");
      expect(await world.finish(machines.wait(APP, id, "stopped", 1000, signal))).toBe(false);
    });

    test("an update replaces the configuration and makes another version", async () => {
      const first = await started("web", { env: { A: "1" } });
      const updated = await world.finish(machines.update(APP, first.id, { config: { ...SLEEPER } }, signal));
      expect(updated.instance_id).not.toBe(first.instance_id);
      await reach(first.id, "started");
      expect((await get(first.id)).config?.env ?? {}).toEqual({});
    });

    test("an update decided on another version is a conflict, and changes nothing", async () => {
      const { id, instance_id } = await started("web");
      const stale = { config: { ...SLEEPER, env: { A: "2" } }, currentVersion: "01HZZZZZZZZZZZZZZZZZZZZZZZ" };
      expect(await failure(machines.update(APP, id, stale, signal))).toMatchObject({ class: "conflict" });
      expect((await get(id)).instance_id).toBe(instance_id);
    });

    test("metadata change key by key without another version", async () => {
      const { id, instance_id } = await started("web", { metadata: { keep: "1", drop: "1", change: "1" } });
      await world.finish(machines.patchMetadata(APP, id, { drop: null, change: "2", add: "3" }, signal));
      const read = await get(id);
      expect(read).toMatchObject({ state: "started", instance_id });
      const { keep, drop, change, add } = read.config?.metadata ?? {};
      expect({ keep, drop, change, add }).toEqual({ keep: "1", drop: undefined, change: "2", add: "3" });
    });

    test("destroys what runs; the id stays readable, the name is free again", async () => {
      const { id } = await started("web");
      await world.finish(machines.destroy(APP, id, signal));
      expect(await world.finish(machines.wait(APP, id, "destroyed", 30_000, signal))).toBe(true);
      await world.finish(machines.destroy(APP, id, signal));
      expect((await get(id)).state).toBe("destroyed");
      expect(await world.finish(machines.list(APP, {}, signal))).toEqual([]);
      const all = await world.finish(machines.list(APP, { includeDeleted: true }, signal));
      expect(all.map((machine) => machine.id)).toEqual([id]);
      expect((await create("web")).id).not.toBe(id);
    });

    test("a command runs on a started machine only", async () => {
      const { id } = await started("web");
      const result = await world.finish(machines.exec(APP, id, ["/bin/true"], 5000, signal));
      expect(result.exitCode).toBe(0);
      await world.finish(machines.stop(APP, id, signal));
      await reach(id, "stopped");
      expect(await failure(machines.exec(APP, id, ["/bin/true"], 5000, signal))).toMatchObject({ class: "conflict" });
    });

    test("a region without room is capacity, whatever status says it", async () => {
      world.faults.fullRegions = ["iad"];
      expect(await failure(create("web"))).toMatchObject({ class: "capacity", ambiguous: false });
      world.faults.capacityAs503 = true;
      expect(await failure(create("web"))).toMatchObject({ class: "capacity", ambiguous: false });
    });

    test("a host without room is capacity", async () => {
      const { id } = await started("web");
      world.faults.fullHosts = true;
      const update = machines.update(APP, id, { config: { ...SLEEPER, env: { A: "1" } } }, signal);
      expect(await failure(update)).toMatchObject({ class: "capacity" });
    });

    test("a wrong configuration, a missing image and a wrong token are refused", async () => {
      const guest = { cpu_kind: "shared", cpus: 3, memory_mb: 256 };
      expect(await failure(create("web", { guest }))).toMatchObject({ class: "refused", status: 400 });
      expect(await failure(create("web", { image: "registry.example/no-such-image:1" }))).toMatchObject({
        class: "refused",
      });
      const stranger = world.client({ token: "wrong" });
      expect(await failure(stranger.list(APP, {}, signal))).toMatchObject({ class: "refused", status: 401 });
    });

    test.each(["408", "503", "504", "drop"] as const)(
      "a create whose answer is lost (%s) is found by what it was given",
      async (reply) => {
        world.faults.ambiguous = { reply, actions: ["create"], times: 1 };
        const error = await failure(create("web", { metadata: { owner: "u1" } }));
        expect(error).toMatchObject({ class: "down", ambiguous: true });
        const found = await world.finish(machines.list(APP, { metadata: { owner: "u1" } }, signal));
        expect(found.map(({ name }) => name)).toEqual(["web"]);
      },
    );

    test("a read survives a gateway that fails twice", async () => {
      const { id } = await create("web");
      world.faults.gateway = { reply: "504", actions: ["get"], times: 2 };
      expect((await get(id)).id).toBe(id);
    });

    test("too fast is throttled, for as long as the API says", async () => {
      world.faults.throttled = { actions: ["create"], times: 1 };
      world.faults.retryAfterSeconds = 1;
      const error = await failure(create("web"));
      expect(error).toMatchObject({ class: "throttled", retryAfterMs: 1000, ambiguous: false });
      expect((await create("web")).name).toBe("web");
    });

    test("an error carries the request id that Fly's support asks for", async () => {
      const error = await failure(machines.get(APP, "148e000000000a", signal));
      expect(error).toMatchObject({ requestId: expect.stringMatching(/^[0-9A-Z]{26}-[a-z]{3}$/) });
    });
  });
}
