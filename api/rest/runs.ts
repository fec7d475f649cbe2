// The simple REST face of workflow runs: look, cancel, read the logs.

import { ConflictError } from "../../controller/kernel/errors.ts";
import { type WorkflowRun, workflowRunKind } from "../../crds/workflow-run.ts";
import type { Api, ApiContext, ApiOptions } from "../api.ts";
import { fieldWriter } from "../field-writer.ts";
import { notFound } from "../kube/resource-writes.ts";
import { mount } from "../kube/resources.ts";
import type { LineStreamParts } from "../line-stream.ts";
import { find } from "./lookup.ts";
import { runLogs } from "./run-logs.ts";
import { isFinished, runState, runView } from "./run-view.ts";

export function mountRuns(api: Api, options: ApiOptions, parts: LineStreamParts): void {
  const { store, admission } = options;
  const runOf = (c: ApiContext) => find(c, store, workflowRunKind, c.req.param("executionId") ?? "");

  mount(api, "/api/workflows/executions/:executionId", { get: async (c) => c.json(runView(await runOf(c))) });

  mount(api, "/api/workflows/executions/:executionId/cancel", {
    post: async (c) => {
      const { metadata } = await runOf(c);
      const key = { namespace: metadata.namespace, name: metadata.name };
      const writer = fieldWriter(c, options.clock);
      const cancelled = await admission.update(workflowRunKind, key, cancel, { uid: metadata.uid, writer });
      return c.json({ executionId: metadata.uid, status: runState(cancelled) }, 202);
    },
  });

  mount(api, "/api/workflows/executions/:executionId/logs", {
    get: async (c) => runLogs(c, await runOf(c), options, parts),
  });

  mount(api, "/apis/fly.lightfast.ai/v1/namespaces/:namespace/workflowruns/:name/log", {
    get: async (c) => {
      const name = c.req.param("name") ?? "";
      const run = await store.get(workflowRunKind, { namespace: c.req.param("namespace"), name });
      if (!run) throw notFound(workflowRunKind, name);
      return runLogs(c, run, options, parts);
    },
  });
}

/** Asking twice is asking once. */
function cancel(run: WorkflowRun): WorkflowRun {
  if (isFinished(run)) {
    throw new ConflictError(`the run "${run.metadata.name}" has already ${runState(run)}; there is nothing to cancel`);
  }
  return { ...run, spec: { ...run.spec, cancel: true } };
}
