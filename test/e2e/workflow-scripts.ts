// Runs the steps of a manifest one after the other on one machine, as a run would, without a controller.
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { dependencyOrder } from "../../controller/reconcilers/run-plan.ts";
import { shellRunner } from "../../controller/steps/shell.ts";
import type { Session } from "../../controller/transports/transport.ts";
import { type WorkflowSpec, workflowSpec } from "../../crds/workflow.ts";

export interface StepResult {
  readonly name: string;
  readonly exitCode: number;
  /** Both streams. */
  readonly output: string;
}

export function builtIn(name: string): WorkflowSpec {
  const file = new URL(`../../manifests/workflows/${name}.yaml`, import.meta.url);
  return workflowSpec.parse(parse(readFileSync(file, "utf8")).spec);
}

/** Stops at the first step that fails. */
export async function runSteps(
  session: Session,
  spec: WorkflowSpec,
  given: Readonly<Record<string, string>>,
  run = "e2e",
): Promise<readonly StepResult[]> {
  const values = Object.fromEntries(spec.parameters.map((each) => [each.name, given[each.name] ?? each.default ?? ""]));
  const results: StepResult[] = [];
  for (const step of dependencyOrder(spec.steps)) {
    const context = { session, key: { run, step: step.name, attempt: 1 }, signal: AbortSignal.timeout(600_000) };
    const bootId = await shellRunner.bootId(context);
    await shellRunner.start(context, { run: step.run }, { environment: { ...values, ...step.env }, bootId });
    const result = await finish(context, step.name);
    results.push(result);
    if (result.exitCode !== 0) break;
  }
  return results;
}

async function finish(context: Parameters<typeof shellRunner.observe>[0], name: string): Promise<StepResult> {
  const offsets = { stdout: 0, stderr: 0 };
  for (let text = ""; ; ) {
    const { observation, output } = await shellRunner.observe(context, { offsets: { ...offsets }, waitMs: 5000 });
    for (const { stream, data } of output) {
      offsets[stream] += data.length;
      text += Buffer.from(data).toString();
    }
    if (observation.state === "Running" || output.length > 0) continue;
    if (observation.state !== "Exited") throw new Error(`step ${name} is ${observation.state}`);
    return { name, exitCode: observation.exitCode, output: text };
  }
}
