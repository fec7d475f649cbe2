// The simple REST face of workflow definitions, and the way to run one.

import { z } from "zod";
import { isJsonObject, type JsonObject } from "../../controller/kernel/json.ts";
import { API_VERSION, NAME_MAX } from "../../crds/resource.ts";
import { type Workflow, workflowKind } from "../../crds/workflow.ts";
import { type WorkflowRun, workflowRunKind } from "../../crds/workflow-run.ts";
import type { Api, ApiOptions } from "../api.ts";
import { parsedBody } from "../body.ts";
import { fieldWriter } from "../field-writer.ts";
import { HttpError } from "../http-error.ts";
import { mount } from "../kube/resources.ts";
import { withFieldNames } from "./field-names.ts";
import { find, namespaceOf } from "./lookup.ts";
import { restBody } from "./rest-body.ts";
import { runState, runView } from "./run-view.ts";

const BUILT_IN_LABEL = "fly.lightfast.ai/built-in";

/** A run's machines are named <run>-<key>: with a suffix of 6 and keys of up to 20 this leaves room for all of them. */
const RUN_NAME_BASE_MAX = NAME_MAX - 6 - 21;

const execution = z.strictObject({
  context: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
});

export function mountWorkflows(api: Api, { store, admission, clock }: ApiOptions): void {
  mount(api, "/api/workflows", {
    get: async (c) => {
      const page = await store.list(workflowKind, { namespace: namespaceOf(c) });
      return c.json({ items: page.items.map(workflowView) });
    },
    post: async (c) => {
      const body = await parsedBody(c);
      if (!isJsonObject(body)) throw new HttpError("BadRequest", "the body must be one object");
      const manifest = isManifest(body);
      const object = manifest ? withNamespace(body, namespaceOf(c)) : flatWorkflow(body, namespaceOf(c));
      const names: [string, string][] = manifest
        ? []
        : [
            ["metadata.", ""],
            ["spec.", ""],
          ];
      const writer = fieldWriter(c, clock);
      const created = await withFieldNames(names, () => admission.create(workflowKind, object, { writer }));
      return c.json(workflowView(created), 201);
    },
  });

  mount(api, "/api/workflows/:id", {
    get: async (c) => c.json(workflowView(await find(c, store, workflowKind, c.req.param("id") ?? ""))),
  });

  mount(api, "/api/workflows/:id/execute", {
    post: async (c) => {
      const { context } = await restBody(c, execution);
      const workflow = await find(c, store, workflowKind, c.req.param("id") ?? "");
      const run = await withFieldNames([["spec.parameters", "context"]], () =>
        admission.create(workflowRunKind, runOf(workflow, context), { writer: fieldWriter(c, clock) }),
      );
      return c.json({ executionId: run.metadata.uid, name: run.metadata.name, status: runState(run) }, 202);
    },
  });

  mount(api, "/api/workflows/:id/executions", {
    get: async (c) => {
      const { metadata } = await find(c, store, workflowKind, c.req.param("id") ?? "");
      const fieldSelector = `spec.workflowRef.name=${metadata.name}`;
      const page = await store.list(workflowRunKind, { namespace: metadata.namespace, fieldSelector });
      return c.json({ items: page.items.map((run: WorkflowRun) => runView(run)) });
    },
  });
}

export function workflowView({ metadata, spec }: Workflow): object {
  return {
    id: metadata.uid,
    name: metadata.name,
    builtIn: metadata.labels?.[BUILT_IN_LABEL] !== undefined,
    createdAt: metadata.creationTimestamp,
    ...spec,
  };
}

function isManifest(body: JsonObject): boolean {
  return "kind" in body || "apiVersion" in body || "metadata" in body;
}

function withNamespace(body: JsonObject, namespace: string): JsonObject {
  const metadata = isJsonObject(body.metadata) ? body.metadata : {};
  return { ...body, metadata: { ...metadata, namespace: metadata.namespace ?? namespace } };
}

function flatWorkflow({ name, ...spec }: JsonObject, namespace: string): object {
  return { apiVersion: API_VERSION, kind: workflowKind.kind, metadata: { name, namespace }, spec };
}

/** Parameters are text on the machine; numbers and booleans are written as JSON writes them. */
function runOf({ metadata }: Workflow, context: Readonly<Record<string, string | number | boolean>>): object {
  return {
    apiVersion: API_VERSION,
    kind: workflowRunKind.kind,
    metadata: { namespace: metadata.namespace, generateName: `${metadata.name.slice(0, RUN_NAME_BASE_MAX)}-` },
    spec: {
      workflowRef: { name: metadata.name },
      parameters: Object.fromEntries(Object.entries(context).map(([key, value]) => [key, String(value)])),
    },
  };
}
