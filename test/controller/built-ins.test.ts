import { expect, test } from "vitest";
import { BUILT_IN_LABEL, installBuiltIns } from "../../controller/built-ins.ts";
import { silentLog } from "../../controller/kernel/log.ts";
import { workflowKind } from "../../crds/workflow.ts";
import { admitted } from "./admission/admitted.ts";

async function installed() {
  const { store, admission } = await admitted();
  const install = () => installBuiltIns(store, admission, silentLog);
  await install();
  const key = { namespace: "default", name: "git-clone-and-push" };
  return { store, admission, install, key };
}

test("both are there after the first start, labelled", async () => {
  const { store } = await installed();
  const { items } = await store.list(workflowKind, { labelSelector: `${BUILT_IN_LABEL}=true` });
  expect(items.map(({ metadata }) => metadata.name)).toEqual(["dev-environment", "git-clone-and-push"]);
});

test("a second start writes nothing", async () => {
  const { store, install } = await installed();
  const revision = await store.revision();
  await install();
  expect(await store.revision()).toBe(revision);
});

test("one that was upgraded in a new version replaces our own", async () => {
  const { store, admission, install, key } = await installed();
  const [hash, generation] =
    (await store.get(workflowKind, key))?.metadata.annotations?.["fly.lightfast.ai/installed"]?.split("/") ?? [];
  expect([hash?.length, generation]).toEqual([16, "1"]);
  await admission.update(workflowKind, key, (current) => ({
    ...current,
    metadata: { ...current.metadata, annotations: { "fly.lightfast.ai/installed": "0000000000000000/2" } },
    spec: { ...current.spec, description: "of an older version" },
  }));
  await install();
  expect((await store.get(workflowKind, key))?.spec.description).not.toBe("of an older version");
});

test("one that the user has changed stays as it is", async () => {
  const { store, admission, install, key } = await installed();
  await admission.update(workflowKind, key, (current) => ({
    ...current,
    spec: { ...current.spec, description: "mine" },
  }));
  await install();
  expect((await store.get(workflowKind, key))?.spec.description).toBe("mine");
});
