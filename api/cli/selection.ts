// What the user named: `KIND`, `KIND NAME…`, `KIND/NAME…`, `KIND,KIND`, or a category such as `all`.
import { UsageError } from "./failure.ts";
import type { SelectorFlags } from "./flags.ts";
import { listObjects } from "./list.ts";
import type { Subject } from "./reach.ts";
import { findResource, findResources, pathOf, type ResourceType } from "./resources.ts";
import type { Session } from "./session.ts";

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

export interface SubjectFlags extends SelectorFlags {
  readonly all?: boolean;
}

/** The objects that the user means: named ones as they are, those of a whole kind only with -l or --all, as listed now. */
export async function subjectsOf(
  session: Session,
  what: readonly string[],
  flags: SubjectFlags,
): Promise<readonly Subject[]> {
  const subjects: Subject[] = [];
  for (const { type, names } of parseSelection(what, await session.kinds())) {
    if (names.length > 0) {
      if (flags.selector || flags.all) throw new UsageError("give either names, or -l, or --all");
      subjects.push(...names.map((name) => ({ type, name, namespace: session.namespace })));
      continue;
    }
    if (!flags.selector && !flags.all) throw new UsageError(`name the ${type.plural}, or choose them with -l or --all`);
    const path = pathOf(type, flags.allNamespaces ? undefined : session.namespace);
    const { items } = await listObjects(session.client, path, { labelSelector: flags.selector });
    subjects.push(
      ...items.map(({ metadata }) => ({
        type,
        name: metadata.name,
        namespace: metadata.namespace ?? session.namespace,
        uid: metadata.uid,
      })),
    );
  }
  return subjects;
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
