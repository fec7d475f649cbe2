// A namespace goes when it is empty, and is emptied when it is to go.
import { expect, test } from "vitest";
import { createNamespaceReconciler } from "../../../controller/reconcilers/namespace.ts";
import { eventKind } from "../../../crds/event.ts";
import { instanceKind } from "../../../crds/instance.ts";
import { KINDS } from "../../../crds/kinds.ts";
import { namespaceKind } from "../../../crds/namespace.ts";
import { admitted } from "../admission/admitted.ts";

const team = { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } };
const NEVER = new AbortController().signal;

async function world() {
  const { store, admission } = await admitted();
  await admission.create(namespaceKind, team);
  const reconciler = createNamespaceReconciler({ store, admission, kinds: KINDS });
  const get = () => store.get(namespaceKind, { name: "team" });
  async function reconcile(): Promise<number | undefined> {
    const namespace = await get();
    return namespace && (await reconciler.reconcile(namespace, NEVER)).requeueAfterMs;
  }
  return { store, admission, get, reconcile };
}

test("one that lives is left alone", async () => {
  const { get, reconcile } = await world();
  const before = await get();
  await reconcile();
  expect(await get()).toEqual(before);
});

test("what is in it is deleted, what takes its time is waited for, and Events go last", async () => {
  const { store, admission, get, reconcile } = await world();
  const box = { apiVersion: "fly.lightfast.ai/v1", kind: "Instance", spec: {} };
  await admission.create(instanceKind, { ...box, metadata: { name: "quick", namespace: "team" } });
  const slow = { name: "slow", namespace: "team", finalizers: ["example.com/slow"] };
  await admission.create(instanceKind, { ...box, metadata: slow });
  const event = { apiVersion: "v1", kind: "Event", metadata: { name: "e", namespace: "team" }, involvedObject: {} };
  await admission.create(eventKind, event);
  const inside = async () =>
    (await store.list(instanceKind, { namespace: "team" })).items.map((each) => each.metadata.name);

  await admission.delete(namespaceKind, { name: "team" });
  expect((await get())?.status).toEqual({ phase: "Terminating" });
  expect(await reconcile()).toBeGreaterThan(0);
  expect(await inside()).toEqual(["slow"]);
  expect(await reconcile()).toBeGreaterThan(0);
  expect((await store.list(eventKind, { namespace: "team" })).items).toHaveLength(1);

  await admission.update(instanceKind, { namespace: "team", name: "slow" }, (current) => ({
    ...current,
    metadata: { ...current.metadata, finalizers: [] },
  }));
  await reconcile();
  expect((await store.list(eventKind, { namespace: "team" })).items).toEqual([]);
  await reconcile();
  expect(await get()).toBeUndefined();
});
