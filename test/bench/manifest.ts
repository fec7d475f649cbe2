// The manifests that are sent: an Instance as a team would write it, of 2 KiB, and a short one.
import { API_VERSION } from "../../crds/resource.ts";

export const COLLECTION = `/apis/${API_VERSION}/namespaces/default/instances`;

/** All names have this many characters, so that all bodies are of one size. */
const NAME_LENGTH = 20;

/** The prefix and the number, filled up. */
export function nameOf(prefix: string, index: number): string {
  return prefix + String(index).padStart(NAME_LENGTH - prefix.length, "0");
}

export function smallInstance(name: string): object {
  return { apiVersion: API_VERSION, kind: "Instance", metadata: { name }, spec: { image: "ubuntu:22.04" } };
}

/** As JSON of exactly so many bytes. */
export function instanceOf(name: string, bytes: number): string {
  const short = JSON.stringify(withDescription(name, ""));
  return JSON.stringify(withDescription(name, "x".repeat(bytes - short.length)));
}

function withDescription(name: string, description: string): object {
  return {
    apiVersion: API_VERSION,
    kind: "Instance",
    metadata: {
      name,
      labels: { app: "agent", team: "computers", tier: "worker", "example.com/cost-center": "4711" },
      annotations: { "example.com/owner": "team-computers@example.com", "example.com/description": description },
    },
    spec: {
      image: "registry.example.com/team/agent-computer:2026-11-01",
      command: ["/usr/local/bin/agent", "--listen", "0.0.0.0:8080", "--log-level", "info"],
      region: "iad",
      fallbackRegions: ["ord", "ewr"],
      size: "shared-cpu-2x",
      memoryMb: 2048,
      env: {
        EDITOR: "vim",
        LANG: "C.UTF-8",
        AGENT_MODE: "autonomous",
        AGENT_HOME: "/home/agent",
        NODE_ENV: "production",
      },
      services: [{ protocol: "tcp", internal_port: 8080, ports: [{ port: 443, handlers: ["tls", "http"] }] }],
      rootfs: { persist: "Always" },
      idle: { after: "30m", action: "Suspend" },
      ttl: "8h",
    },
  };
}
