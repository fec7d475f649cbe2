// The database is gone and the machines are not.
import { rmSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { judge } from "../../../controller/reconcilers/adoption-verdict.ts";
import { ACKNOWLEDGE_HOST_KEY } from "../../../controller/transports/transport.ts";
import { instanceKind } from "../../../crds/instance.ts";
import { namespaceKind } from "../../../crds/namespace.ts";
import { API_VERSION, findCondition } from "../../../crds/resource.ts";
import { aMachine, anInstance, CONTROLLER_ID, KEYS } from "../../instance-fixture.ts";
import { instanceWorld, type TestWorld } from "../../instance-world.ts";
import { savedFiles } from "../../saved.ts";

let saved: ReturnType<typeof savedFiles>;
let world: TestWorld;
let keys = KEYS;
beforeEach(async () => {
  keys = KEYS;
  saved = savedFiles(() => world.clock);
  world = await instanceWorld({ file: saved.file, orphanPolicy: "Delete", keysOf: () => keys });
});
afterEach(async () => {
  await world.close();
  saved.remove();
});

const SHAPES = {
  plain: {},
  sized: { size: "performance-2x", memoryMb: 8192, env: { COLOR: "blue" }, idle: { after: "30m" } },
  told: { command: ["sleep", "inf"], files: [{ guest_path: "/etc/note", raw_value: "bm90ZQ==" }], ttl: "8h" },
  kept: { rootfs: { persist: "Always" }, deletionPolicy: "Orphan", restart: { policy: "on-failure", max_retries: 3 } },
  stopped: { operatingMode: "Stopped", ssh: { port: 22 }, fallbackRegions: ["ord"] },
};

/** The whole fleet, then the loss of the database; answers the former controller's id. */
async function lose(shapes: Record<string, Record<string, unknown>> = SHAPES): Promise<string> {
  for (const [name, spec] of Object.entries(shapes)) await world.apply(name, spec);
  for (const name of Object.keys(shapes)) await world.until(name, name === "stopped" ? "Stopped" : "Ready");
  await world.clock.advance(10_000);
  const former = world.database.store.controllerId;
  await world.reopened(async () => rmSync(saved.file));
  expect(world.database.store.controllerId).not.toBe(former);
  await world.clock.advance(20_000);
  return former;
}

const specs = async () =>
  Object.fromEntries((await world.database.store.list(instanceKind)).items.map((each) => [each.metadata.name, each]));
const changes = () => world.calls.filter((call) => !call.startsWith("GET ") && !call.startsWith("PATCH "));

test("every instance is there again with its uid, its spec and its machine, and no machine was touched", async () => {
  const former = await lose();
  const before = world.live();
  world.calls.length = 0;

  const skipped = await world.adopt();
  expect(new Set(skipped.map(({ outcome }) => outcome))).toEqual(new Set(["skipped"]));
  expect(skipped[0]?.message).toContain(`--controller ${former}`);
  expect(await world.adopt({ controllers: [former], dryRun: true })).toHaveLength(5);
  expect(await specs()).toEqual({});

  const adopted = await world.adopt({ controllers: [former] });
  expect(adopted.map(({ outcome, message }) => outcome + message)).toEqual(adopted.map(() => "adopted"));
  for (const name of Object.keys(SHAPES)) await world.until(name, name === "stopped" ? "Stopped" : "Ready");
  await world.clock.advance(600_000);
  const now = await specs();
  for (const [name, { metadata, status }] of Object.entries(now)) {
    const machine = before.find(({ id }) => id === status?.machine?.id);
    expect([name, metadata.uid]).toEqual([name, machine?.config.metadata?.["flywheel-uid"]]);
  }
  for (const [name, spec] of Object.entries(SHAPES)) expect(now[name]?.spec).toMatchObject(spec);
  expect(changes()).toEqual([]);
  const withoutOwner = (live: typeof before) =>
    live.map(({ config, ...rest }) => ({ ...rest, ...config, metadata: {} }));
  expect(withoutOwner(world.live())).toEqual(withoutOwner(before));
  const owners = new Set(world.live().map(({ config }) => config.metadata?.["flywheel-controller"]));
  expect([...owners]).toEqual([world.database.store.controllerId]); // taken over, or an old list would still be believed

  const again = await world.adopt({ controllers: [former] });
  expect(new Set(again.map(({ outcome }) => outcome))).toEqual(new Set(["exists"]));
}, 30_000);

test("what is deleted afterwards is gone, and the next machine has the next name", async () => {
  const former = await lose({ plain: {} });
  await world.adopt({ controllers: [former] });
  await world.until("plain", "Ready");
  const [first] = world.live();
  await world.machines.destroy("workers", first?.id ?? "", new AbortController().signal);
  await world.clock.runUntil(async () => world.live().some(({ id }) => id !== first?.id), 120_000);
  expect((await world.get("plain"))?.status?.provisioning?.incarnation).toBe(2);
  await world.remove("plain");
  await world.gone("plain");
  expect(world.live()).toEqual([]);
});

test("a machine that was put to rest for want of use stays at rest", async () => {
  await world.apply("idle", { idle: { after: "10m", action: "Stop" } });
  await world.until("idle", "Idle", 1_200_000);
  await world.clock.advance(60_000);
  const former = world.database.store.controllerId;
  await world.reopened(async () => rmSync(saved.file));
  await world.clock.advance(10_000);
  world.calls.length = 0;
  await world.adopt({ controllers: [former] });
  await world.until("idle", "Idle");
  await world.clock.advance(600_000);
  expect(changes()).toEqual([]);
  expect(world.live().map(({ state }) => state)).toEqual(["stopped"]);
});

test("with the keys lost too, SSH is not tried and nothing is restarted until somebody says so", async () => {
  const former = await lose({ plain: {}, stopped: { operatingMode: "Stopped" } });
  keys = { hostKey: "another host key", authorizedKeys: "another key" };
  const [first] = world.live();
  world.calls.length = 0;
  const adopted = await world.adopt({ controllers: [former] });
  expect(adopted[0]?.message).toContain("SSH keys are of a lost secret");
  await world.until("plain", "Ready");
  await world.clock.advance(600_000);
  const held = await world.get("plain");
  expect(held?.status?.machine).toMatchObject({ strangeKeys: true });
  expect(findCondition(held ?? {}, "Synced")).toMatchObject({ status: "False", reason: "UpdatePending" });
  expect(held?.status?.pending?.message).toContain(`annotate ${ACKNOWLEDGE_HOST_KEY}=`);
  const restarts = () => changes().filter((call) => call.includes(first?.id ?? "nothing"));
  expect(restarts()).toEqual([]);
  expect((await world.get("stopped"))?.status?.machine?.strangeKeys).toBeUndefined(); // there it cost nothing

  const instanceId = held?.status?.machine?.instanceId ?? "";
  await world.admission.update(instanceKind, { namespace: "default", name: "plain" }, (current) => ({
    ...current,
    metadata: { ...current.metadata, annotations: { [ACKNOWLEDGE_HOST_KEY]: instanceId } },
  }));
  await world.clock.runUntil(
    async () => (await world.get("plain"))?.status?.machine?.strangeKeys === undefined,
    60_000,
  );
  await world.until("plain", "Ready");
  expect(restarts()).toHaveLength(1);
  expect((await world.events()).map(({ reason }) => reason)).toContain("UpdateAnnounced");
  expect(world.live().map(({ id }) => id)).toContain(first?.id);
});

test("namespaces are made where they are missing; with one named, others are left out", async () => {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "team-a" } };
  await world.admission.create(namespaceKind, namespace);
  const metadata = { name: "box", namespace: "team-a", labels: { team: "a" } };
  await world.admission.create(instanceKind, { apiVersion: API_VERSION, kind: "Instance", metadata, spec: {} });
  const former = await lose({ plain: {} });
  expect(await world.adopt({ controllers: [former], namespace: "team-a" })).toMatchObject([
    { namespace: "team-a", name: "box", outcome: "adopted" },
  ]);
  const box = await world.database.store.get(instanceKind, { namespace: "team-a", name: "box" });
  expect(box?.metadata.labels).toEqual({ team: "a" });
  expect(await world.get("plain")).toBeUndefined();
});

test("a machine whose host does not answer is skipped, and adopted when it does", async () => {
  const former = await lose({ plain: {} });
  world.faults.unreachable = ["*"];
  expect(await world.adopt({ controllers: [former] })).toMatchObject([
    { outcome: "skipped", message: expect.stringContaining("host does not answer") },
  ]);
  delete world.faults.unreachable;
  expect(await world.adopt({ controllers: [former] })).toMatchObject([{ outcome: "adopted" }]);
});

test("a machine made since a backup is taken back after it was restored, without claiming anything", async () => {
  await saved.take(world.database);
  await world.apply("since", { ttl: "8h" });
  await world.until("since", "Ready");
  const before = world.live().map(({ id }) => id);
  await world.reopened(saved.putBack);
  await world.clock.advance(10_000);
  expect(await world.adopt()).toMatchObject([{ name: "since", outcome: "adopted" }]);
  await world.until("since", "Ready");
  expect((await world.get("since"))?.spec.ttl).toBe("8h");
  expect(world.live().map(({ id }) => id)).toEqual(before);
});

const machine = (id: string, owner: Record<string, string> = {}, changes = {}) => {
  const { config, ...rest } = aMachine(anInstance(), { id, ...changes });
  const prefixed = Object.fromEntries(Object.entries(owner).map(([key, value]) => [`flywheel-${key}`, value]));
  return { ...rest, config: { ...config, metadata: { ...config?.metadata, ...prefixed } } };
};

test.each([
  { reason: "one of ours without an instance", listed: [machine("a")], outcomes: ["free"] },
  { reason: "one of nobody", listed: [machine("a", { uid: "" })], outcomes: [] },
  { reason: "a stranger's", listed: [machine("a", { controller: "x" })], outcomes: ["skipped"] },
  { reason: "one that goes", listed: [machine("a", {}, { state: "destroying" })], outcomes: ["skipped"] },
  { reason: "two of one uid", listed: [machine("a"), machine("b")], outcomes: ["skipped", "skipped"] },
  {
    reason: "two of one uid, one of them a stranger's",
    listed: [machine("a"), machine("b", { controller: "x" })],
    outcomes: ["free", "skipped"],
  },
  {
    reason: "two of one name",
    listed: [machine("a"), machine("b", { uid: "other" })],
    outcomes: ["skipped", "skipped"],
  },
  {
    reason: "one of a name that an instance has",
    listed: [machine("a", { uid: "other" })],
    instances: [anInstance()],
    outcomes: ["skipped"],
  },
  { reason: "one of an instance", listed: [machine("a")], instances: [anInstance()], outcomes: ["exists"] },
  {
    reason: "one that is named, of two of one uid",
    listed: [machine("a"), machine("b")],
    machines: ["b"],
    outcomes: ["free"],
  },
])("judges $reason", ({ listed, instances = [], machines, outcomes }) => {
  const judged = judge(listed, instances, { controllers: [CONTROLLER_ID], machines });
  expect(judged.map(({ verdict }) => verdict?.outcome ?? "free")).toEqual(outcomes);
});
