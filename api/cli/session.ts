// One call of the command: who it talks to, in which namespace, and what kinds there are (asked once, when needed).
import type { Client } from "./client.ts";
import { loadResources, type ResourceType } from "./resources.ts";
import type { Terminal } from "./terminal.ts";

export interface Session {
  readonly client: Client;
  readonly terminal: Terminal;
  readonly namespace: string;
  /** Whether the user named the namespace, so that a manifest that says another is a contradiction. */
  readonly namespaceGiven: boolean;
  kinds(): Promise<readonly ResourceType[]>;
}

export const DEFAULT_NAMESPACE = "default";

export function createSession(client: Client, terminal: Terminal, namespace: string | undefined): Session {
  let kinds: Promise<readonly ResourceType[]> | undefined;
  return {
    client,
    terminal,
    namespace: namespace ?? DEFAULT_NAMESPACE,
    namespaceGiven: namespace !== undefined,
    kinds: () => {
      kinds ??= loadResources(client);
      return kinds;
    },
  };
}
