// What kinds the server has, by its own discovery: a kind added there needs no change here.
import type { Client } from "./client.ts";
import { Failure } from "./failure.ts";

export interface ResourceType {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
}

interface ApiResourceList {
  readonly kind: string;
  readonly resources: readonly {
    readonly name: string;
    readonly singularName?: string;
    readonly namespaced: boolean;
    readonly kind: string;
    readonly shortNames?: readonly string[];
    readonly categories?: readonly string[];
  }[];
}

const GROUP_VERSIONS = [
  { group: "fly.lightfast.ai", version: "v1", path: "/apis/fly.lightfast.ai/v1" },
  { group: "", version: "v1", path: "/api/v1" },
];

export async function loadResources(client: Client): Promise<readonly ResourceType[]> {
  const lists = await Promise.all(
    GROUP_VERSIONS.map(async ({ group, version, path }) => {
      const list = await client.json<ApiResourceList>(path);
      if (list.kind !== "APIResourceList") throw new Failure(`${client.server} is not a Flywheel server`);
      return list.resources
        .filter((each) => !each.name.includes("/")) // subresources such as instances/status
        .map((each) => ({
          group,
          version,
          kind: each.kind,
          plural: each.name,
          singular: each.singularName || each.kind.toLowerCase(),
          shortNames: each.shortNames ?? [],
          categories: each.categories ?? [],
          namespaced: each.namespaced,
        }));
    }),
  );
  return lists.flat();
}

/** By plural, singular, kind, short name or `plural.group`, in any case; a category such as `all` gives several. */
export function findResources(name: string, types: readonly ResourceType[]): readonly ResourceType[] {
  const wanted = name.toLowerCase();
  const one = types.find((type) => namesOf(type).includes(wanted));
  if (one) return [one];
  const several = types.filter((type) => type.categories.includes(wanted));
  if (several.length > 0) return several;
  const known = types.map((type) => [type.plural, ...type.shortNames].join("|"));
  throw new Failure(`the server has no kind "${name}"; it has ${known.join(", ")}`);
}

export function findResource(name: string, types: readonly ResourceType[]): ResourceType {
  const [type, another] = findResources(name, types);
  if (!type || another) throw new Failure(`"${name}" names several kinds; name one`);
  return type;
}

export function resourceOfManifest(apiVersion: string, kind: string, types: readonly ResourceType[]): ResourceType {
  const type = types.find((each) => each.kind === kind && apiVersionOf(each) === apiVersion);
  if (type) return type;
  const known = types.map((each) => `${apiVersionOf(each)} ${each.kind}`);
  throw new Failure(`the server has no kind "${kind}" in "${apiVersion}"; it has ${known.join(", ")}`);
}

export function apiVersionOf(type: Pick<ResourceType, "group" | "version">): string {
  return type.group === "" ? type.version : `${type.group}/${type.version}`;
}

/** `namespace` undefined means all of them. */
export function pathOf(type: ResourceType, namespace: string | undefined, name?: string): string {
  const root = type.group === "" ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = type.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${root}${scope}/${type.plural}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}

function namesOf(type: ResourceType): string[] {
  const names = [type.plural, type.singular, type.kind.toLowerCase(), ...type.shortNames];
  const full = type.group === "" ? [] : [`${type.plural}.${type.group}`, `${type.singular}.${type.group}`];
  return [...names, ...full];
}
