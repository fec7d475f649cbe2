// Flags that several verbs share, so that they are spelled and explained once.
import { InvalidArgumentError, Option } from "commander";
import { parseDuration } from "./duration.ts";
import { OUTPUT_HELP } from "./output.ts";

export interface FileFlags {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
}

export interface SelectorFlags {
  readonly selector?: string;
  readonly fieldSelector?: string;
  readonly allNamespaces?: boolean;
}

export const fileOption = () =>
  new Option("-f, --filename <path...>", "file, directory or - for stdin; may be given several times");
export const recursiveOption = () => new Option("-R, --recursive", "look into directories below a directory");
export const selectorOption = () =>
  new Option("-l, --selector <labels>", "only objects with these labels, such as team=a,tier!=test");
export const fieldSelectorOption = () =>
  new Option("--field-selector <fields>", "only objects with these fields, such as metadata.name=dev-box");
export const allNamespacesOption = () => new Option("-A, --all-namespaces", "in all namespaces");
export const outputOption = () => new Option("-o, --output <format>", OUTPUT_HELP);

export function timeoutOption(description: string, initial: string): Option {
  return new Option("--timeout <duration>", `${description}, such as 30s or 5m; 0 for no limit`)
    .argParser(durationArgument)
    .default(parseDuration(initial), initial);
}

export function durationArgument(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a duration such as "30s", "10m" or "1h30m".');
  return ms;
}

/** Commander hands each value of a repeated option to this. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
