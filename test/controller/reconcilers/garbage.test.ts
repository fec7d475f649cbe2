import { expect, test } from "vitest";
import { lifetime } from "../../../controller/kernel/lifetime.ts";
import { silentLog } from "../../../controller/kernel/log.ts";
import { collectGarbage } from "../../../controller/reconcilers/garbage.ts";
import { KINDS } from "../../../crds/kinds.ts";
import { type AnyResource, API_VERSION } from "../../../crds/resource.ts";
import { workflowKind } from "../../../crds/workflow.ts";
import { admitted } from "../admission/admitted.ts";

async function world() {
  const { clock, store, admission } = await admitted();
  const make = (name: string, owners: readonly AnyResource[] = []) =>
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
        })),
      },
      spec: { instances: { box: {} }, steps: [{ name: "a", run: "true" }] },
    });
  const remove = (name: string) => admission.delete(workflowKind, { namespace: "default", name });
  const names = async () => (await store.list(workflowKind)).items.map(({ metadata }) => metadata.name);
  const start = () => {
    const life = lifetime();
    const ended = collectGarbage({ store, admission, kinds: KINDS, clock, log: silentLog }, life.signal);
    return async () => {
      life.abort(new Error("end of the test"));
      await ended;
    };
  };
  return { clock, make, remove, names, start };
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
