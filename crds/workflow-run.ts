// A run is one execution of a workflow. It keeps the definition it began with, so that later edits do not reach it.
import { z } from "zod";
import { env } from "./instance.ts";
import {
  AGE_COLUMN,
  conditions,
  GROUP,
  type KindDef,
  mapList,
  objectName,
  type Resource,
  VERSION,
} from "./resource.ts";
import { workflowSpec } from "./workflow.ts";

export const workflowRunSpec = z.strictObject({
  workflowRef: z
    .strictObject({ name: objectName.describe("Of a workflow of this namespace.") })
    .describe("What is executed."),
  parameters: env.default({}).describe("Values by name; defaults fill the rest."),
  cancel: z.boolean().default(false).describe("true asks for cancellation; it cannot be taken back."),
});

export const STEP_STATES = ["Pending", "Running", "Succeeded", "Failed", "Skipped", "Cancelled"] as const;

const stepStatus = z.strictObject({
  name: z.string().describe("Of the step in the definition."),
  state: z.enum(STEP_STATES).describe("Where the step stands."),
  attempts: z.int().describe("Attempts begun."),
  instance: z.string().optional().describe("Name of the instance it runs on."),
  machineId: z.string().optional().describe("Of the current attempt."),
  startedAt: z.string().optional().describe("Of the first attempt."),
  attemptStartedAt: z
    .string()
    .optional()
    .describe("When the current attempt was decided; its timeout counts from here."),
  bootId: z
    .string()
    .optional()
    .describe("The boot of the machine that the current attempt may begin in; before it is known nothing is sent."),
  acknowledgedAt: z
    .string()
    .optional()
    .describe("When the machine was first seen to have the current attempt; before that it may be sent again."),
  unreachableSince: z.string().optional().describe("Since when the machine of a running attempt has not answered."),
  finishedAt: z.string().optional().describe("When the step was over."),
  exitCode: z.int().optional().describe("Of the last attempt."),
  retryAt: z.string().optional().describe("When the next attempt may begin."),
  reason: z.string().optional().describe("Why it is so, as one word for programs."),
  message: z.string().optional().describe("Why it is so, for people."),
});

export const workflowRunStatus = z.strictObject({
  observedGeneration: z.int().optional().describe("The generation of the spec that this status is about."),
  conditions: conditions.optional(),
  startedAt: z.string().optional().describe("When the run began."),
  finishedAt: z.string().optional().describe("When the run was over."),
  definition: z
    .strictObject({
      uid: z.string().describe("Of the workflow."),
      generation: z.int().describe("Of the workflow at that time."),
      spec: workflowSpec,
    })
    .optional()
    .describe("The workflow as it was when the run began."),
  parameters: z.record(z.string(), z.string()).optional().describe("Given values and defaults together."),
  steps: mapList(z.array(stepStatus), "name").optional().describe("Each step of the definition."),
  outputs: z.record(z.string(), z.string()).optional().describe("What the run hands out."),
});

export type WorkflowRunSpec = z.output<typeof workflowRunSpec>;
export type StepStatus = z.output<typeof stepStatus>;
export type StepState = StepStatus["state"];
export type WorkflowRunStatus = z.output<typeof workflowRunStatus>;
export type WorkflowRun = Resource<WorkflowRunSpec, WorkflowRunStatus, "WorkflowRun">;

/** Names the run on the instances that it owns. */
export const RUN_LABEL = "fly.lightfast.ai/run";

/** Keeps a run until nothing of it runs, its machines are dealt with and its logs are dropped. */
export const RUN_FINALIZER = "fly.lightfast.ai/run";

export const workflowRunKind: KindDef<WorkflowRun> = {
  group: GROUP,
  version: VERSION,
  kind: "WorkflowRun",
  plural: "workflowruns",
  singular: "workflowrun",
  shortNames: ["run", "runs", "wfr"],
  categories: ["all", "fly"],
  scope: "Namespaced",
  description: "One execution of a workflow.",
  fields: { spec: workflowRunSpec, status: workflowRunStatus },
  columns: [
    { name: "Workflow", type: "string", jsonPath: ".spec.workflowRef.name" },
    { name: "Succeeded", type: "string", jsonPath: '.status.conditions[?(@.type=="Succeeded")].status' },
    { name: "Reason", type: "string", jsonPath: '.status.conditions[?(@.type=="Succeeded")].reason' },
    { name: "Started", type: "date", jsonPath: ".status.startedAt", priority: 1 },
    { name: "Finished", type: "date", jsonPath: ".status.finishedAt", priority: 1 },
    AGE_COLUMN,
  ],
  subresources: [
    {
      name: "log",
      contentType: "application/x-ndjson",
      description: "What the steps have printed, a JSON text a line.",
    },
  ],
  immutable: [
    { path: "spec.workflowRef", reason: "a run executes one workflow; create another run" },
    { path: "spec.parameters", reason: "a run keeps the parameters it began with; create another run" },
  ],
};
