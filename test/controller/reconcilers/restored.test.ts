// A database put back from a backup, in a world that has moved on since: nothing is lost, doubled or done again.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ORPHAN_GRACE_MS } from "../../../controller/limits.ts";
import { bootThatKnows, mayBelongToLost } from "../../../controller/reconcilers/restored.ts";
import { executionKind } from "../../../crds/execution.ts";
import { instanceWorld, type TestWorld } from "../../instance-world.ts";
import { type RunWorld, runWorld } from "../../run-world.ts";
import { savedFiles } from "../../saved.ts";

let saved: ReturnType<typeof savedFiles>;

describe("machines", () => {
  let world: TestWorld;
  /** Waited for before a create call reaches Fly. */
  let creating: (() => Promise<void>) | undefined;
  beforeEach(async () => {
    saved = savedFiles(() => world.clock);
    creating = undefined;
    world = await instanceWorld({
      file: saved.file,
      orphanPolicy: "Delete",
      between: async ({ method, url }, send) => {
        if (method === "POST" && url.endsWith("/machines")) await creating?.();
        return send();
      },
    });
  });
  afterEach(async () => {
    await world.close();
    saved.remove();
  });
  const putBack = () => world.reopened(saved.putBack);
  const ids = () => world.live().map(({ id }) => id);

  test("an instance whose machine went on is Ready with the same machine, and nothing is sent to it", async () => {
    await world.apply("box");
    await world.until("box", "Ready");
    await saved.take(world.database);
    await world.clock.advance(600_000);
    const before = ids();
    world.calls.length = 0;
    await putBack();
    await world.until("box", "Ready");
    await world.clock.advance(60_000);
    expect(ids()).toEqual(before);
    expect(world.calls.filter((call) => !call.startsWith("GET "))).toEqual([]);
  });

  test("a backup from the middle of a create finds the machine that the call made", async () => {
    const call = new Promise<() => void>((resolve) => {
      creating = () => new Promise((go) => resolve(go));
    });
    await world.apply("box");
    await world.clock.settle();
    const go = await call; // committed, and not sent
    await saved.take(world.database);
    go();
    await world.until("box", "Ready");
    const before = ids();
    await putBack();
    await world.until("box", "Ready", 120_000);
    expect(ids()).toEqual(before);
  });

  test("a machine that was replaced since is found under its later name", async () => {
    await world.apply("box");
    await world.until("box", "Ready");
    await saved.take(world.database);
    const [first = ""] = ids();
    await world.machines.destroy("workers", first, new AbortController().signal);
    await world.clock.runUntil(async () => ids().length === 1 && ids()[0] !== first, 120_000);
    await world.until("box", "Ready");
    const later = ids();
    await putBack();
    await world.until("box", "Ready");
    await world.clock.advance(60_000);
    expect(ids()).toEqual(later);
  });

  test("a machine that was deleted since with its instance is made again once, after Fly has said that it is gone", async () => {
    await world.apply("box");
    await world.until("box", "Ready");
    await saved.take(world.database);
    const [first] = ids();
    await world.remove("box");
    await world.gone("box");
    await putBack();
    await world.clock.runUntil(async () => (await world.get("box"))?.status?.machine?.id !== first, 120_000);
    await world.until("box", "Ready");
    await world.clock.advance(60_000);
    expect(ids()).toHaveLength(1);
  });

  test("machines made since are reported and stay, even where orphans are deleted", async () => {
    await world.apply("before");
    await world.until("before", "Ready");
    await saved.take(world.database);
    await world.apply("since");
    await world.until("since", "Ready");
    const both = ids();
    await putBack();
    await world.clock.advance(3 * ORPHAN_GRACE_MS);
    expect(ids()).toEqual(both);
    expect((await world.events()).map(({ reason }) => reason)).toContain("Orphan");
  });

  test("what becomes an orphan after the restoration is deleted as ever", async () => {
    await saved.take(world.database);
    await world.clock.advance(10_000);
    await putBack();
    await world.clock.advance(10_000);
    const metadata = {
      "flywheel-controller": world.database.store.controllerId,
      "flywheel-uid": "gone",
      "flywheel-namespace": "default",
      "flywheel-name": "box",
    };
    const config = { image: "ubuntu", init: { exec: ["sleep", "inf"] }, metadata };
    await world.machines.create("workers", { name: "x", region: "iad", config }, new AbortController().signal);
    await world.clock.advance(3 * ORPHAN_GRACE_MS);
    expect(ids()).toEqual([]);
  });
});

describe("steps", () => {
  let world: RunWorld;
  beforeEach(async () => {
    saved = savedFiles(() => world.clock);
    world = await runWorld({ file: saved.file });
    await world.workflow("build", {
      steps: [
        { name: "one", run: "one" },
        { name: "two", run: "two", dependsOn: ["one"] },
      ],
    });
  });
  afterEach(async () => {
    await world.close();
    saved.remove();
  });
  /** `meanwhile` happens to the machines before a server runs again. */
  const putBack = (meanwhile?: () => void) =>
    world.reopened(async () => {
      await saved.putBack();
      meanwhile?.();
    });
  const begun = () =>
    world.machines.jobs
      .filter(({ observation }) => observation.state !== "Lost") // refused: it never ran
      .map(({ key }) => `${key.step}/${key.attempt}`);
  const running = (step: string) =>
    world.clock.runUntil(async () => world.machines.jobs.some(({ key }) => key.step === step));

  test("those that ran on since are found on their machine, and not begun again", async () => {
    await world.run("r", "build");
    await running("one");
    await world.clock.advance(5000);
    await saved.take(world.database);
    world.machines.exit("one", 0, "said");
    await running("two");
    world.machines.exit("two", 0);
    await world.clock.advance(500); // over on the machine; the run is not read as finished yet, or just
    await putBack();
    await world.finished("r");
    expect(await world.steps("r")).toEqual(["one:Succeeded:1", "two:Succeeded:1"]);
    expect(begun()).toEqual(["one/1", "two/1"]);
    expect(await world.log("r", "one")).toBe("said");
  });

  test("a run that was over and whose machine is gone is not done again on another one", async () => {
    await world.run("r", "build");
    await saved.take(world.database); // before anything has begun
    await running("one");
    world.machines.exit("one", 0);
    await running("two");
    world.machines.exit("two", 0);
    await world.finished("r");
    await world.clock.advance(60_000);
    world.hold("Creating");
    await putBack(() => world.machines.reboot(world.machines.job("one").machineId, true));
    await world.clock.advance(5000);
    world.hold("Ready");
    await world.finished("r");
    expect(begun()).toEqual(["one/1", "two/1"]);
    expect(await world.steps("r")).toEqual(["one:Failed:1", "two:Skipped:0"]);
  });

  test("a run that is made after the restoration is none of its business", async () => {
    await saved.take(world.database);
    await world.clock.advance(60_000);
    await putBack();
    await world.run("r", "build");
    await running("one");
    world.machines.exit("one", 0);
    await running("two");
    world.machines.exit("two", 0);
    await world.finished("r");
    expect(await world.steps("r")).toEqual(["one:Succeeded:1", "two:Succeeded:1"]);
  });

  test("a command that somebody waited for is not run again", async () => {
    await world.instance("box");
    await world.clock.advance(2000);
    await world.execution("x", { command: "true" });
    await saved.take(world.database);
    await running("exec");
    world.machines.exit("exec", 0);
    await world.clock.advance(10_000);
    await putBack(() => world.machines.reboot(world.machines.job("exec").machineId, true));
    await world.clock.runUntil(async () => {
      const state = (await world.get(executionKind, "x"))?.status?.state;
      return state !== undefined && state !== "Running";
    });
    expect((await world.get(executionKind, "x"))?.status?.state).toBe("Failed");
    expect(begun()).toEqual(["exec/1"]);
  });
});

describe("which boot an attempt is committed to", () => {
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  const ms = (second: number) => Date.parse(at(second));
  const restored = (taken: number, put: number) => ({ takenAtMs: ms(taken), restoredAtMs: ms(put) });

  test.each([
    { reason: "no restoration", created: 1, known: "b", restorations: [], boot: undefined },
    { reason: "made after the backup", created: 12, known: "b", restorations: [restored(10, 11)], boot: undefined },
    { reason: "a boot is named", created: 1, known: "b", restorations: [restored(10, 11)], boot: "b" },
    {
      reason: "no boot is named",
      created: 1,
      known: undefined,
      restorations: [restored(10, 11)],
      boot: "none-since-the-restoration",
    },
    {
      reason: "made before the second of two",
      created: 12,
      known: "b",
      restorations: [restored(10, 11), restored(20, 30)],
      boot: "b",
    },
  ])("$reason", ({ created, known, restorations, boot }) => {
    expect(bootThatKnows({ creationTimestamp: at(created) }, known, restorations)).toBe(boot);
  });

  test("a machine may be of the lost self only if it is older than the restoration", () => {
    expect(mayBelongToLost(at(1), [])).toBe(false);
    expect(mayBelongToLost(at(1), [restored(0, 5)])).toBe(true);
    expect(mayBelongToLost(at(6), [restored(0, 5)])).toBe(false);
    expect(mayBelongToLost(undefined, [restored(0, 5)])).toBe(true);
  });
});
