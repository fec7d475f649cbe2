import { expect, test } from "vitest";
import { customResourceDefinition } from "../../crds/definition.ts";
import { instanceKind } from "../../crds/instance.ts";
import { workflowRunKind } from "../../crds/workflow-run.ts";

test("a definition names the kind, its status and its columns", () => {
  const { metadata, spec } = customResourceDefinition(instanceKind);
  expect(metadata).toEqual({ name: "instances.fly.lightfast.ai" });
  expect(spec).toMatchObject({
    group: "fly.lightfast.ai",
    names: { kind: "Instance", listKind: "InstanceList", plural: "instances", shortNames: ["inst"] },
    scope: "Namespaced",
    versions: [{ name: "v1", served: true, storage: true, subresources: { status: {} } }],
  });
});

test("what cannot change is a rule of the schema, with its reason", () => {
  expect(JSON.stringify(customResourceDefinition(instanceKind))).toContain(
    '"x-kubernetes-validations":[{"rule":"self == oldSelf","message":"cannot change: moving a machine',
  );
  const rules = JSON.stringify(customResourceDefinition(workflowRunKind)).match(/self == oldSelf/g);
  expect(rules).toHaveLength(2);
});
