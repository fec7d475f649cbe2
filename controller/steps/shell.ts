// The steps that are a script: `shell` for a step of a workflow, `exec` for one command outside of any.
import { z } from "zod";
import { bootIdOf, cancelJob, observeJob, releaseJob, startJob } from "./remote-job.ts";
import type { StepRunner } from "./step.ts";

// A variable of the environment cannot hold NUL, and a script with one is cut there by most shells.
const script = z
  .string()
  .min(1)
  .refine((text) => !text.includes("\0"), "must not contain NUL");

/** `bash -eo pipefail`, else `sh -e`, in the directory that the run's steps on a machine share. */
export const shellRunner: StepRunner<{ run: string }> = {
  uses: "shell",
  input: z.strictObject({ run: script }),
  bootId: bootIdOf,
  start: (context, { run }, options) => startJob(context, { mode: "shell", script: run }, options),
  observe: observeJob,
  cancel: cancelJob,
  release: releaseJob,
};

/** `sh -c` in HOME. */
export const execRunner: StepRunner<{ command: string }> = {
  uses: "exec",
  input: z.strictObject({ command: script }),
  bootId: bootIdOf,
  start: (context, { command }, options) => startJob(context, { mode: "exec", script: command }, options),
  observe: observeJob,
  cancel: cancelJob,
  release: releaseJob,
};
