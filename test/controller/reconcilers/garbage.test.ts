import { expect, test } from "vitest";
import { createAdmission } from "../../../controller/admission/create-admission.ts";
import { lifetime } from "../../../controller/kernel/lifetime.ts";
import { silentLog } from "../../../controller/kernel/log.ts";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { collectGarbage } from "../../../controller/reconcilers/garbage.ts";
import { openSqlite } from "../../../controller/store/sqlite.ts";
import { KINDS } from "../../../crds/kinds.ts";
import { namespaceKind } from "../../../crds/namespace.ts";
import { type AnyResource, API_VERSION } from "../../../crds/resource.ts";
import { workflowKind } from "../../../crds/workflow.ts";
import { virtualClock } from "../../virtual-clock.ts";

async function world() {
  const clock = virtualClock();
  const random = seededRandom(1);
  const { store } = await openSqlite({ file: ":memory:", clock, random });
  const admission = createAdmission({
    store,
    kinds: KINDS,
    random,
    defaults: { region: "iad", image: "i", size: "shared-cpu-1x", memoryMb: 256 },
  });
  await admission.create(namespaceKind, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
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
