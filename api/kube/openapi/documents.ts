// The OpenAPI documents: version 3 for each group version (what kubectl and `explain` read), and one of version 2 for all.
import { apiVersionOf, type KindDef } from "../../../crds/resource.ts";
import { components } from "./components.ts";
import { type Paths, pathsOf } from "./operations.ts";

export interface OpenApi {
  readonly openapi: "3.0.0";
  readonly info: object;
  readonly paths: Paths;
  readonly components: { readonly schemas: object; readonly securitySchemes: object };
  readonly security: readonly object[];
}

/** Of the kinds of one group version, or of several. */
export function openApi(kinds: readonly KindDef[], version: string): OpenApi {
  return {
    openapi: "3.0.0",
    info: { title: "Flywheel", version: `v${version}` },
    paths: Object.assign({}, ...kinds.map(pathsOf)),
    components: {
      schemas: components(kinds),
      securitySchemes: { BearerToken: { type: "http", scheme: "bearer", description: "The key of API_KEY." } },
    },
    security: [{ BearerToken: [] }],
  };
}

/** Where the index lists a group version: `apis/fly.lightfast.ai/v1`, `api/v1`. */
export function groupVersionPath(kind: KindDef): string {
  return kind.group === "" ? `api/${kind.version}` : `apis/${apiVersionOf(kind)}`;
}

type Node = Readonly<Record<string, unknown>>;
const METHODS = ["get", "put", "post", "patch", "delete"];

/** The same as Swagger 2.0, in JSON: bodies are parameters, media types stand at the operation. */
export function swagger({ info, paths, components: { schemas } }: OpenApi): object {
  const document = {
    swagger: "2.0",
    info,
    paths: Object.fromEntries(Object.entries(paths).map(([path, item]) => [path, pathItem(item)])),
    definitions: schemas,
    securityDefinitions: { BearerToken: { type: "apiKey", in: "header", name: "authorization" } },
    security: [{ BearerToken: [] }],
  };
  return JSON.parse(JSON.stringify(document).replaceAll('"#/components/schemas/', '"#/definitions/'));
}

function pathItem(item: Node): object {
  return Object.fromEntries(
    Object.entries(item).map(([key, value]) => [
      key,
      METHODS.includes(key) ? operation(node(value)) : parameters(value),
    ]),
  );
}

function operation({ requestBody, responses, parameters: own, ...rest }: Node): object {
  const content = node(node(requestBody).content);
  const [body] = Object.values(content);
  const bodies = body ? [{ name: "body", in: "body", schema: node(body).schema }] : [];
  return {
    ...rest,
    ...(body ? { consumes: Object.keys(content) } : {}),
    produces: ["application/json"],
    parameters: [...bodies, ...parameters(own ?? [])],
    responses: Object.fromEntries(
      Object.entries(node(responses)).map(([code, answer]) => [code, response(node(answer))]),
    ),
  };
}

function response({ description, content }: Node): object {
  const [first] = Object.values(node(content));
  return { description, schema: node(first).schema };
}

function parameters(list: unknown): readonly object[] {
  return (Array.isArray(list) ? list : []).map((each) => {
    const { schema, ...rest } = node(each);
    return { ...rest, ...node(schema), uniqueItems: true };
  });
}

function node(value: unknown): Node {
  return typeof value === "object" && value !== null ? (value as Node) : {}; // an object of a document of ours
}
