// A workflow is a definition: parameters, the machines that a run owns, and a graph of steps.
import { z } from "zod";
import { DAY_MS, duration } from "./duration.ts";
import { env, envName, envValue, instanceSpec } from "./instance.ts";
import {
  AGE_COLUMN,
  boundedMap,
  conditions,
  GROUP,
  type KindDef,
  mapList,
  NAME_PATTERN,
  objectName,
  type Resource,
  VERSION,
} from "./resource.ts";

const stepName = z.string().max(40).regex(NAME_PATTERN, "must be lower case letters, digits and -, at most 40");

const parameter = z.strictObject({
  name: envName.describe("Of the environment variable that scripts read."),
  description: z.string().max(4096).optional().describe("What it is for."),
  required: z.boolean().default(false).describe("Whether a run must give a value."),
  default: envValue.optional().describe("Used when the run gives no value; an empty text when absent."),
});

const retry = z.strictObject({
  limit: z
    .int()
    .min(0)
    .max(100)
    .default(0)
    .describe("Retries after the first attempt: 2 means three attempts at most."),
  backoff: duration(0, DAY_MS)
    .default("5s")
    .describe("Before the first retry; doubled for each further one, at most 5m."),
  on: z
    .array(z.enum(["Failed", "Timeout", "Lost"]))
    .min(1)
    .max(3)
    .default(["Failed", "Timeout"])
    .describe("What is tried again. Lost means that the machine or the job is gone and nobody knows how far it came."),
});

const step = z.strictObject({
  name: stepName.describe("Unique in the workflow."),
  instance: z.string().max(20).optional().describe("A key of `instances`; may be left out when there is just one."),
  run: z
    .string()
    .min(1)
    .max(262_144)
    .describe("A script for bash -eo pipefail, else sh -e. Parameters are environment variables."),
  dependsOn: z.array(stepName).max(1000).default([]).describe("Steps that must have succeeded before this one begins."),
  env: env.optional().describe("Environment of this step, beside the parameters."),
  timeout: duration(1000, 7 * DAY_MS)
    .default("1h")
    .describe("How long an attempt may take; then its processes are killed."),
  retry: retry
    .default({ limit: 0, backoff: "5s", on: ["Failed", "Timeout"] })
    .describe("What is tried again, how often and when."),
});

/** Either a reference to an instance that exists, or the spec of one that the run makes and owns. */
const workflowInstance = instanceSpec.extend({
  ref: objectName
    .optional()
    .describe("An instance of this namespace that exists; no other field may be set beside it."),
});

const trigger = z.strictObject({
  type: z
    .enum(["Apply"])
    .describe("Apply: one run for each generation, so that an applied workflow converges like a Job."),
  parameters: env.optional().describe("Values for the run that it makes."),
});

export const workflowSpec = z.strictObject({
  description: z.string().max(4096).optional().describe("What the workflow is for."),
  triggers: z.array(trigger).max(1).optional().describe("What makes runs by itself."),
  parameters: mapList(z.array(parameter).max(128), "name")
    .default([])
    .describe("What a run may be given; scripts read them as environment variables."),
  instances: boundedMap(
    z.record(
      z.string().max(20).regex(NAME_PATTERN, "must be lower case letters, digits and -, at most 20"),
      workflowInstance,
    ),
    64,
  )
    .default({})
    .describe("Machines by key: made for each run and owned by it, or referred to by name."),
  steps: mapList(z.array(step).min(1).max(1000), "name").describe("What is done, as a graph by dependsOn."),
  cleanup: z
    .enum(["Always", "OnSuccess", "Never"])
    .default("Always")
    .describe("What becomes of the machines that the run made."),
});

export const workflowStatus = z.strictObject({
  observedGeneration: z.int().optional().describe("The generation of the spec that this status is about."),
  conditions: conditions.optional(),
  lastRun: z.string().optional().describe("The run that the Apply trigger made for the observed generation."),
});

export type WorkflowSpec = z.output<typeof workflowSpec>;
export type WorkflowStep = WorkflowSpec["steps"][number];
export type WorkflowStatus = z.output<typeof workflowStatus>;
export type Workflow = Resource<WorkflowSpec, WorkflowStatus, "Workflow">;

export const workflowKind: KindDef<Workflow> = {
  group: GROUP,
  version: VERSION,
  kind: "Workflow",
  plural: "workflows",
  singular: "workflow",
  shortNames: ["wf"],
  categories: ["all", "fly"],
  scope: "Namespaced",
  description: "A definition of steps to run on machines.",
  fields: { spec: workflowSpec, status: workflowStatus },
  columns: [
    { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: "Succeeded", type: "string", jsonPath: '.status.conditions[?(@.type=="Succeeded")].status' },
    { name: "Last Run", type: "string", jsonPath: ".status.lastRun" },
    { name: "Description", type: "string", jsonPath: ".spec.description", priority: 1 },
    AGE_COLUMN,
  ],
  immutable: [],
};
