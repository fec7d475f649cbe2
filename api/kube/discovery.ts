// What kubectl asks before anything else: which groups, versions and resources there are. Aggregated (one answer for all
// groups of a root) for clients that ask for it, else as the older one answer for each group version.
import { apiVersionOf, type KindDef } from "../../crds/resource.ts";
import type { Api, ApiContext } from "../api.ts";
import { mount } from "./resources.ts";

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const STATUS_VERBS = ["get", "patch", "update"];

export function mountDiscovery(api: Api, kinds: readonly KindDef[]): void {
  const answer = (path: string, body: object) => mount(api, path, { get: async (c) => c.json(body) });
  const root = (path: string, members: readonly KindDef[], legacy: object) =>
    mount(api, path, { get: async (c) => aggregated(c, members) ?? c.json(legacy) });
  const groups = [...new Set(kinds.map((kind) => kind.group))].filter((group) => group !== "");
  const core = kinds.filter((kind) => kind.group === "");
  const named = kinds.filter((kind) => kind.group !== "");

  root("/api", core, { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] });
  root("/apis", named, {
    kind: "APIGroupList",
    apiVersion: "v1",
    groups: groups.map((group) => groupOf(group, kinds)),
  });
  for (const group of groups) {
    answer(`/apis/${group}`, { kind: "APIGroup", apiVersion: "v1", ...groupOf(group, kinds) });
  }
  for (const groupVersion of new Set(kinds.map(apiVersionOf))) {
    const path = groupVersion.includes("/") ? `/apis/${groupVersion}` : `/api/${groupVersion}`;
    answer(path, {
      kind: "APIResourceList",
      apiVersion: "v1",
      groupVersion,
      resources: kinds.filter((kind) => apiVersionOf(kind) === groupVersion).flatMap(resourcesOf),
    });
  }
}

/** The versions of the aggregated form that we can give, the best first. */
const AGGREGATED = ["v2", "v2beta1"];

/** Undefined when the client does not ask for the aggregated form before plain JSON. */
function aggregated(c: ApiContext, kinds: readonly KindDef[]): Response | undefined {
  const options = (c.req.header("accept") ?? "")
    .split(",")
    .map((option) => option.split(";").map((part) => part.trim()));
  const first = options.find(
    ([type, ...parameters]) => type === "application/json" && (parameters.length === 0 || version(parameters)),
  );
  const chosen = version(first?.slice(1) ?? []);
  if (chosen === undefined) return undefined;
  const items = [...new Set(kinds.map((kind) => kind.group))].map((group) => discoveryOf(group, kinds));
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

function discoveryOf(group: string, kinds: readonly KindDef[]): object {
  const members = kinds.filter((kind) => kind.group === group);
  const versions = [...new Set(members.map((kind) => kind.version))].map((each) => ({
    version: each,
    freshness: "Current",
    resources: members.filter((kind) => kind.version === each).map(discoveredResource),
  }));
  return { metadata: group === "" ? {} : { name: group }, versions };
}

function discoveredResource(kind: KindDef): object {
  const responseKind = { group: kind.group, version: kind.version, kind: kind.kind };
  const subresources = subresourcesOf(kind).map(({ name, verbs }) => ({ subresource: name, responseKind, verbs }));
  return {
    resource: kind.plural,
    responseKind,
    scope: kind.scope,
    singularResource: kind.singular,
    verbs: VERBS,
    shortNames: kind.shortNames,
    ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  };
}

function groupOf(name: string, kinds: readonly KindDef[]): object {
  const versions = [...new Set(kinds.filter((kind) => kind.group === name).map((kind) => kind.version))].map(
    (each) => ({ groupVersion: `${name}/${each}`, version: each }),
  );
  return { name, versions, preferredVersion: versions[0] };
}

function resourcesOf(kind: KindDef): object[] {
  const common = { namespaced: kind.scope === "Namespaced", kind: kind.kind };
  const resource = {
    name: kind.plural,
    singularName: kind.singular,
    ...common,
    verbs: VERBS,
    shortNames: kind.shortNames,
    ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
  };
  const below = subresourcesOf(kind).map(({ name, verbs }) => ({
    name: `${kind.plural}/${name}`,
    singularName: "",
    ...common,
    verbs,
  }));
  return [resource, ...below];
}

function subresourcesOf(kind: KindDef): readonly { readonly name: string; readonly verbs: readonly string[] }[] {
  const status = kind.fields.status ? [{ name: "status", verbs: STATUS_VERBS }] : [];
  return [...status, ...(kind.subresources ?? []).map(({ name }) => ({ name, verbs: ["get"] }))];
}
