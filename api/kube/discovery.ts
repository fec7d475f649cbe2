// What kubectl asks before anything else: which groups, versions and resources there are. Aggregated (one answer for all
// groups of a root) for clients that ask for it, else as the older one answer for each group version.
import { apiVersionOf, type KindDef } from "../../crds/resource.ts";
import type { Api, ApiContext } from "../api.ts";
import { mount } from "./resources.ts";

type Names = "group" | "version" | "kind" | "plural" | "singular" | "shortNames" | "categories" | "scope";

/** A resource as clients find it: a kind that is stored, or a question that is answered. */
export interface ApiResource extends Pick<KindDef, Names> {
  readonly verbs: readonly string[];
  readonly subresources: readonly { readonly name: string; readonly verbs: readonly string[] }[];
}

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

export function apiResourceOf(kind: KindDef): ApiResource {
  const status = kind.fields.status ? [{ name: "status", verbs: ["get", "patch", "update"] }] : [];
  const subresources = [...status, ...(kind.subresources ?? []).map(({ name }) => ({ name, verbs: ["get"] }))];
  return { ...kind, verbs: VERBS, subresources };
}

export function mountDiscovery(api: Api, resources: readonly ApiResource[]): void {
  const answer = (path: string, body: object) => mount(api, path, { get: async (c) => c.json(body) });
  const root = (path: string, members: readonly ApiResource[], legacy: object) =>
    mount(api, path, { get: async (c) => aggregated(c, members) ?? c.json(legacy) });
  const groups = groupsOf(resources).filter((group) => group !== "");
  const isCore = ({ group }: ApiResource) => group === "";

  root("/api", resources.filter(isCore), { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] });
  root(
    "/apis",
    resources.filter((each) => !isCore(each)),
    { kind: "APIGroupList", apiVersion: "v1", groups: groups.map((group) => groupOf(group, resources)) },
  );
  for (const group of groups) {
    answer(`/apis/${group}`, { kind: "APIGroup", apiVersion: "v1", ...groupOf(group, resources) });
  }
  for (const groupVersion of new Set(resources.map(apiVersionOf))) {
    const path = groupVersion.includes("/") ? `/apis/${groupVersion}` : `/api/${groupVersion}`;
    const members = resources.filter((each) => apiVersionOf(each) === groupVersion);
    answer(path, { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: members.flatMap(entriesOf) });
  }
}

function groupsOf(resources: readonly ApiResource[]): readonly string[] {
  return [...new Set(resources.map(({ group }) => group))];
}

/** The versions of the aggregated form that we can give, the best first. */
const AGGREGATED = ["v2", "v2beta1"];

/** Undefined when the client does not ask for the aggregated form before plain JSON. */
function aggregated(c: ApiContext, resources: readonly ApiResource[]): Response | undefined {
  const options = (c.req.header("accept") ?? "")
    .split(",")
    .map((option) => option.split(";").map((part) => part.trim()));
  const first = options.find(
    ([type, ...parameters]) => type === "application/json" && (parameters.length === 0 || version(parameters)),
  );
  const chosen = version(first?.slice(1) ?? []);
  if (chosen === undefined) return undefined;
  const items = groupsOf(resources).map((group) => discoveryOf(group, resources));
  const body = { kind: "APIGroupDiscoveryList", apiVersion: `apidiscovery.k8s.io/${chosen}`, metadata: {}, items };
  // Read as the older form under any other content type.
  const contentType = `application/json;g=apidiscovery.k8s.io;v=${chosen};as=APIGroupDiscoveryList`;
  return c.body(JSON.stringify(body), 200, { "content-type": contentType, vary: "Accept" });
}

function version(parameters: readonly string[]): string | undefined {
  if (!parameters.includes("as=APIGroupDiscoveryList") || !parameters.includes("g=apidiscovery.k8s.io"))
    return undefined;
  return AGGREGATED.find((each) => parameters.includes(`v=${each}`));
}

function discoveryOf(group: string, resources: readonly ApiResource[]): object {
  const members = resources.filter((each) => each.group === group);
  const versions = [...new Set(members.map((each) => each.version))].map((each) => ({
    version: each,
    freshness: "Current",
    resources: members.filter((member) => member.version === each).map(discovered),
  }));
  return { metadata: group === "" ? {} : { name: group }, versions };
}

function discovered(resource: ApiResource): object {
  const responseKind = { group: resource.group, version: resource.version, kind: resource.kind };
  const subresources = resource.subresources.map(({ name, verbs }) => ({ subresource: name, responseKind, verbs }));
  return {
    resource: resource.plural,
    responseKind,
    scope: resource.scope,
    singularResource: resource.singular,
    verbs: resource.verbs,
    shortNames: resource.shortNames,
    ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  };
}

function groupOf(name: string, resources: readonly ApiResource[]): object {
  const members = resources.filter(({ group }) => group === name);
  const versions = [...new Set(members.map((each) => each.version))].map((each) => ({
    groupVersion: `${name}/${each}`,
    version: each,
  }));
  return { name, versions, preferredVersion: versions[0] };
}

/** A resource and what is below it, as the older form lists them side by side. */
function entriesOf(resource: ApiResource): object[] {
  const common = { namespaced: resource.scope === "Namespaced", kind: resource.kind };
  const own = {
    name: resource.plural,
    singularName: resource.singular,
    ...common,
    verbs: resource.verbs,
    shortNames: resource.shortNames,
    ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
  };
  const below = resource.subresources.map(({ name, verbs }) => ({
    name: `${resource.plural}/${name}`,
    singularName: "",
    ...common,
    verbs,
  }));
  return [own, ...below];
}
