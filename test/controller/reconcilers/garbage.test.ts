import { expect, test } from "vitest";
import type { Propagation } from "../../../controller/admission/admission.ts";
import { lifetime } from "../../../controller/kernel/lifetime.ts";
import { silentLog } from "../../../controller/kernel/log.ts";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { collectGarbage } from "../../../controller/reconcilers/garbage.ts";
import { KINDS } from "../../../crds/kinds.ts";
import { type AnyResource, API_VERSION } from "../../../crds/resource.ts";
import { workflowKind } from "../../../crds/workflow.ts";
import { admitted } from "../admission/admitted.ts";

async function world() {
  const { clock, store, admission } = await admitted();
  const make = (name: string, owners: readonly AnyResource[] = [], blockOwnerDeletion = true) =>
    admission.create(workflowKind, {
      apiVersion: API_VERSION,
      kind: "Workflow",
      metadata: {
        name,
        namespace: "default",
        ownerReferences: owners.map(({ apiVersion, kind, metadata }) => ({
          apiVersion,
          kind,
          name: metadata.name,
          uid: metadata.uid,
          blockOwnerDeletion,
        })),
      },
      spec: { instances: { box: {} }, steps: [{ name: "a", run: "true" }] },
    });
  const remove = (name: string, propagation?: Propagation) =>
    admission.delete(workflowKind, { namespace: "default", name }, { propagation });
  const get = (name: string) => store.get(workflowKind, { namespace: "default", name });
  /** Keeps an object that is being deleted until it is taken away again. */
  const hold = (name: string, finalizers: readonly string[]) =>
    admission.update(workflowKind, { namespace: "default", name }, (current) => ({
      ...current,
      metadata: { ...current.metadata, finalizers },
    }));
  const names = async () => (await store.list(workflowKind)).items.map(({ metadata }) => metadata.name);
  const start = () => {
    const life = lifetime();
    const ended = collectGarbage(
      { store, admission, kinds: KINDS, clock, random: seededRandom(1), log: silentLog },
      life.signal,
    );
    return async () => {
      life.abort(new Error("end of the test"));
      await ended;
    };
  };
  return { clock, make, remove, get, hold, names, start };
}

test("children go when their last owner has gone, grandchildren after them", async () => {
  const { clock, make, remove, names, start } = await world();
  const stop = start();
  const first = await make("first");
  const second = await make("second");
  const child = await make("child", [first, second]);
  await make("grandchild", [child]);
  await remove("first");
  await clock.settle();
  expect(await names()).toEqual(["child", "grandchild", "second"]);
  await remove("second");
  await clock.advance(1000);
  expect(await names()).toEqual([]);
  await stop();
});

test("what was deleted while nobody watched is noticed at the next start", async () => {
  const { clock, make, remove, names, start } = await world();
  await make("child", [await make("owner")]);
  await remove("owner");
  const stop = start();
  await clock.advance(1000);
  expect(await names()).toEqual([]);
  await stop();
});

test("an object without owners stays", async () => {
  const { clock, make, names, start } = await world();
  const stop = start();
  await make("alone");
  await clock.advance(1000);
  expect(await names()).toEqual(["alone"]);
  await stop();
});

test("an owner that is gone is forgotten where another one lives", async () => {
  const { clock, make, remove, get, start } = await world();
  const stop = start();
  const [first, second] = [await make("first"), await make("second")];
  await make("child", [first, second]);
  await remove("first");
  await clock.advance(1000);
  expect((await get("child"))?.metadata.ownerReferences?.map(({ name }) => name)).toEqual(["second"]);
  await stop();
});

test("foreground: the owner goes after its dependents, and theirs", async () => {
  const { clock, make, remove, get, hold, names, start } = await world();
  const stop = start();
  const owner = await make("owner");
  const child = await make("child", [owner]);
  await make("grandchild", [child]);
  await hold("grandchild", ["example.com/slow"]);
  await hold("child", ["example.com/other", "foregroundDeletion"]);
  await hold("child", []);
  await remove("owner", "Foreground");
  await clock.advance(60_000);
  expect(await names()).toEqual(["child", "grandchild", "owner"]);
  for (const name of await names()) expect((await get(name))?.metadata.deletionTimestamp).toBeDefined();
  await hold("grandchild", []);
  await clock.advance(1000);
  expect(await names()).toEqual([]);
  await stop();
});

test("foreground: a dependent that does not block is deleted and not waited for", async () => {
  const { clock, make, remove, hold, names, start } = await world();
  const stop = start();
  await make("child", [await make("owner")], false);
  await hold("child", ["example.com/slow"]);
  await remove("owner", "Foreground");
  await clock.advance(1000);
  expect(await names()).toEqual(["child"]);
  await stop();
});

test("foreground: a dependent with another owner loses this one and stays", async () => {
  const { clock, make, remove, get, names, start } = await world();
  const stop = start();
  await make("child", [await make("owner"), await make("other")]);
  await remove("owner", "Foreground");
  await clock.advance(1000);
  expect(await names()).toEqual(["child", "other"]);
  expect((await get("child"))?.metadata.ownerReferences?.map(({ name }) => name)).toEqual(["other"]);
  await stop();
});

test("orphan: dependents stay, without their owner, also when it happens while nobody runs", async () => {
  const { clock, make, remove, get, names, start } = await world();
  await make("child", [await make("owner")]);
  await remove("owner", "Orphan");
  const stop = start();
  await clock.advance(1000);
  expect(await names()).toEqual(["child"]);
  expect((await get("child"))?.metadata.ownerReferences).toBeUndefined();
  await stop();
});
