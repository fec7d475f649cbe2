// Every runner there is, by the word that names it. Its input is parsed here, so callers need not know its type.
import { execRunner, shellRunner } from "./shell.ts";
import type { StartOptions, StepContext, StepObservation, StepRunner } from "./step.ts";

export interface AnyRunner extends Omit<StepRunner<unknown>, "input" | "start"> {
  start(context: StepContext, input: unknown, options: StartOptions): Promise<StepObservation>;
}

export type Runners = ReadonlyMap<string, AnyRunner>;

export const builtInRunners: Runners = runnersOf(parsing(shellRunner), parsing(execRunner));

export function runnersOf(...runners: readonly AnyRunner[]): Runners {
  return new Map(runners.map((runner) => [runner.uses, runner]));
}

export function parsing<Input>(runner: StepRunner<Input>): AnyRunner {
  return {
    ...runner,
    start: (context, input, options) => runner.start(context, runner.input.parse(input), options),
  };
}
