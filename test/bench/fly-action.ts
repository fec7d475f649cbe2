// Which of the calls that Fly limits a request is.

const MACHINE_VERBS: ReadonlySet<string> = new Set(["start", "stop", "suspend", "wait", "exec", "metadata", "lease"]);

export interface FlyAction {
  /** `list`, `create`, `get`, `update`, `delete`, `wait` and so on for machines; `app` for what is about an app. */
  readonly action: string;
  readonly app: string;
}

export function actionOf(method: string, path: string): FlyAction {
  const [, app = "", machine, verb] = /^\/v1\/apps\/([^/]+)\/machines(?:\/([^/]+))?(?:\/([^/]+))?/.exec(path) ?? [];
  if (app === "") return { action: "app", app };
  if (machine === undefined) return { action: method === "GET" ? "list" : "create", app };
  if (verb !== undefined) return { action: MACHINE_VERBS.has(verb) ? verb : "other", app };
  if (method === "GET") return { action: "get", app };
  return { action: method === "DELETE" ? "delete" : "update", app };
}
