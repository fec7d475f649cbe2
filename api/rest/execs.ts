// Running one command on an instance. The command is an object of its own that a controller runs: the request only waits for
// it, so a lost connection or a restart loses neither the command nor its output.

import { z } from "zod";
import { EXEC_ANSWER_SLACK_MS } from "../../controller/limits.ts";
import type { LogStore } from "../../controller/store/store.ts";
import { type Execution, executionKind, executionSpec } from "../../crds/execution.ts";
import { instanceKind } from "../../crds/instance.ts";
import { API_VERSION } from "../../crds/resource.ts";
import { type Api, type ApiContext, type ApiOptions, endOf } from "../api.ts";
import { awaitObject } from "../await-object.ts";
import { fieldWriter } from "../field-writer.ts";
import { HttpError } from "../http-error.ts";
import { mount } from "../kube/resources.ts";
import { withFieldNames } from "./field-names.ts";
import { instanceState, takesCommands } from "./instance-view.ts";
import { wholeText } from "./log-text.ts";
import { find } from "./lookup.ts";
import { restBody } from "./rest-body.ts";

const newExec = z.strictObject({
  command: executionSpec.shape.command,
  timeout: executionSpec.shape.timeoutMs.optional(),
});

export function mountExecs(api: Api, options: ApiOptions): void {
  const { store, admission, logs } = options;

  async function exec(c: ApiContext): Promise<Response> {
    const { command, timeout: timeoutMs = options.execTimeoutMs } = await restBody(c, newExec);
    const instance = await find(c, store, instanceKind, c.req.param("id") ?? "");
    const { name, namespace, uid } = instance.metadata;
    if (!takesCommands(instance)) {
      throw new HttpError(
        "Conflict",
        `instance "${name}" is ${instanceState(instance)}, not running; wait until it is running`,
      );
    }
    const created = await withFieldNames(
      [
        ["spec.timeoutMs", "timeout"],
        ["spec.", ""],
      ],
      () =>
        admission.create(
          executionKind,
          {
            apiVersion: API_VERSION,
            kind: executionKind.kind,
            metadata: {
              namespace,
              generateName: `${name.slice(0, NAME_BASE_MAX)}-`,
              labels: { [INSTANCE_UID_LABEL]: uid },
            },
            spec: { instance: name, command, timeoutMs },
          },
          { writer: fieldWriter(c, options.clock) },
        ),
    );
    const waitMs = timeoutMs + EXEC_ANSWER_SLACK_MS;
    const last = await awaitObject(options, executionKind, created, isFinished, waitMs, endOf(c));
    return c.json(await executionView(last ?? created, logs));
  }

  // Before `/api/instances/:id/…`: "executions" is no instance there.
  mount(api, "/api/instances/executions/:executionId", {
    get: async (c) => {
      const execution = await find(c, store, executionKind, c.req.param("executionId") ?? "");
      return c.json(await executionView(execution, logs));
    },
  });
  mount(api, "/api/instances/:id/exec", { post: exec });
}

/** Leaves room for the suffix of a generated name. */
const NAME_BASE_MAX = 50;
const INSTANCE_UID_LABEL = "fly.lightfast.ai/instance-uid";

function isFinished({ status }: Execution): boolean {
  return status !== undefined && status.state !== "Running";
}

async function executionView({ metadata, status }: Execution, logs: LogStore): Promise<object> {
  const stream = (name: "stdout" | "stderr") => wholeText(logs, `${metadata.uid}/exec/1/${name}`);
  return {
    executionId: metadata.uid,
    status: (status?.state ?? "Running").toLowerCase(),
    exitCode: status?.exitCode ?? null,
    stdout: await stream("stdout"),
    stderr: await stream("stderr"),
    startedAt: status?.startedAt ?? metadata.creationTimestamp,
    completedAt: status?.completedAt ?? null,
    ...(status?.message ? { message: status.message } : {}),
  };
}
