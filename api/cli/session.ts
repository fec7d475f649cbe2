// One call of the command: who it talks to, in which namespace, and what kinds there are (asked once, when needed).
import type { Client } from "./client.ts";
import { loadResources, type ResourceType } from "./resources.ts";
import type { Terminal } from "./terminal.ts";

/** By what the server lets us in, and by what we know it. */
export interface Access {
  readonly token: string | undefined;
  /** PEM certificates to trust; the system's when absent. */
  readonly authority: string | undefined;
}

export interface Session {
  readonly client: Client;
  readonly access: Access;
  readonly terminal: Terminal;
  readonly namespace: string;
  /** Whether the user named the namespace, so that a manifest that says another is a contradiction. */
  readonly namespaceGiven: boolean;
  kinds(): Promise<readonly ResourceType[]>;
}

export const DEFAULT_NAMESPACE = "default";

export function createSession(
  client: Client,
  access: Access,
  terminal: Terminal,
  namespace: string | undefined,
): Session {
  let kinds: Promise<readonly ResourceType[]> | undefined;
  return {
    client,
    access,
    terminal,
    namespace: namespace ?? DEFAULT_NAMESPACE,
    namespaceGiven: namespace !== undefined,
    kinds: () => {
      kinds ??= loadResources(client);
      return kinds;
    },
  };
}
