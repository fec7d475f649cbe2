// What the user named: `KIND`, `KIND NAME…`, `KIND/NAME…`, `KIND,KIND`, or a category such as `all`.
import { UsageError } from "./failure.ts";
import { findResource, findResources, type ResourceType } from "./resources.ts";

export interface Selection {
  readonly type: ResourceType;
  /** None: all of the kind. */
  readonly names: readonly string[];
}

export function parseSelection(args: readonly string[], types: readonly ResourceType[]): readonly Selection[] {
  const [kinds, ...names] = args;
  if (kinds === undefined) throw new UsageError("name what is meant: KIND, KIND NAME or KIND/NAME");
  if (args.some((arg) => arg.includes("/"))) return args.map((arg) => parseSlashed(arg, types));
  const found = kinds.split(",").flatMap((kind) => findResources(kind, types));
  return [...new Set(found)].map((type) => ({ type, names }));
}

/** `KIND/NAME` or a name of the kind that a verb is about: `run/build-x7k2p`, or just `build-x7k2p`. */
export function nameOf(arg: string, kind: string): string {
  const [prefix, name, ...rest] = arg.split("/");
  if (name === undefined) return arg;
  if (name === "" || rest.length > 0) throw new UsageError(`"${arg}" is not ${kind}/NAME`);
  return prefix === "" ? arg : name;
}

function parseSlashed(arg: string, types: readonly ResourceType[]): Selection {
  const [kind, name, ...rest] = arg.split("/");
  if (!kind || !name || rest.length > 0) {
    throw new UsageError(`"${arg}" is not KIND/NAME; with one KIND/NAME all must be so`);
  }
  return { type: findResource(kind, types), names: [name] };
}
