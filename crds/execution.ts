// An execution is one command run on an instance, outside any workflow. It is an object so that it survives a restart,
// counts as activity, and can be asked for after the instance is gone. Its output is kept with the logs.
import { z } from "zod";
import { AGE_COLUMN, GROUP, type KindDef, objectName, type Resource, VERSION } from "./resource.ts";

export const executionSpec = z.strictObject({
  instance: objectName.describe("Name of an instance of this namespace."),
  command: z.string().min(1).max(131_072).describe("Run by sh -c in HOME."),
  timeoutMs: z.int().min(1).max(86_400_000).describe("Milliseconds; then its processes are killed."),
  cancel: z.boolean().default(false).describe("true asks for cancellation; it cannot be taken back."),
});

export const executionStatus = z.strictObject({
  observedGeneration: z.int().optional().describe("The generation of the spec that this status is about."),
  state: z.enum(["Running", "Succeeded", "Failed", "Timeout", "Cancelled"]).describe("Where the command stands."),
  machineId: z.string().optional().describe("Fly's id of the machine it runs on."),
  exitCode: z.int().optional().describe("Of the command."),
  startedAt: z.string().optional().describe("When it was decided to run it."),
  bootId: z
    .string()
    .optional()
    .describe("The boot of the machine that the command may begin in; before it is known nothing is sent."),
  acknowledgedAt: z
    .string()
    .optional()
    .describe("When the machine was first seen to have the command; before that it may be sent again."),
  completedAt: z.string().optional().describe("When it was over."),
  message: z.string().optional().describe("Why it is so, for people."),
});

export type ExecutionSpec = z.output<typeof executionSpec>;
export type ExecutionStatus = z.output<typeof executionStatus>;
export type Execution = Resource<ExecutionSpec, ExecutionStatus, "Execution">;

/** Keeps an execution until nothing of it runs and its output is dropped. */
export const EXECUTION_FINALIZER = "fly.lightfast.ai/execution";

/** The step that its output is kept under: `<uid>/exec/1/stdout`. */
export const EXECUTION_STEP = "exec";

export const executionKind: KindDef<Execution> = {
  group: GROUP,
  version: VERSION,
  kind: "Execution",
  plural: "executions",
  singular: "execution",
  shortNames: ["exec"],
  categories: ["fly"],
  scope: "Namespaced",
  description: "One command run on an instance.",
  fields: { spec: executionSpec, status: executionStatus },
  columns: [
    { name: "Instance", type: "string", jsonPath: ".spec.instance" },
    { name: "State", type: "string", jsonPath: ".status.state" },
    { name: "Exit", type: "integer", jsonPath: ".status.exitCode" },
    { name: "Command", type: "string", jsonPath: ".spec.command", priority: 1 },
    AGE_COLUMN,
  ],
  immutable: [
    { path: "spec.instance", reason: "an execution belongs to one instance" },
    { path: "spec.command", reason: "a command that has begun cannot be changed" },
    { path: "spec.timeoutMs", reason: "a command that has begun cannot be changed" },
  ],
};
