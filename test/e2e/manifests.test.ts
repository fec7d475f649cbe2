// Every manifest that comes with the project is applied by the command to a real server, and reaches its good condition.
// Found by looking into the folders: a new manifest is tested, and one of a kind that nobody judges here fails.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { until } from "./program.ts";
import { ROOT, startServer, type TestServer } from "./server.ts";

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly triggers?: readonly { readonly type: string }[] };
}

const FOLDERS = ["manifests/workflows", "manifests/examples"];
const MANIFESTS = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder)).flatMap((file) =>
    parseAllDocuments(readFileSync(join(ROOT, folder, file), "utf8")).map((document) => {
      const manifest: Manifest = document.toJS();
      return { file: `${folder}/${file}`, name: `${manifest.kind}/${manifest.metadata.name}`.toLowerCase(), manifest };
    }),
  ),
);

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

test.each(FOLDERS)("%s is applied, and a second time nothing changes", async (folder) => {
  const first = await server.cli("apply", "-f", join(ROOT, folder));
  expect(first).toMatchObject({ code: 0, err: "" });
  const lines = (await server.cli("apply", "-f", join(ROOT, folder))).out.trim().split("\n");
  const expected = MANIFESTS.filter(({ file }) => file.startsWith(folder)).map(({ name }) => `${name} unchanged`);
  expect(lines.sort()).toEqual(expected.sort());
});

describe("what was applied", () => {
  test.each(MANIFESTS.map((each) => [each.name, each] as const))("%s is good", async (name, { manifest }) => {
    await isGood(name, manifest);
  });
});

async function isGood(name: string, { kind, metadata, spec }: Manifest): Promise<void> {
  switch (kind) {
    case "Instance":
      return holds(name, "Ready");
    case "Workflow":
      // Without a trigger it is a definition, judged by being valid. dev-environment is run where its packages can be had.
      return holds(name, spec.triggers?.length ? "Succeeded" : "Ready");
    case "WorkflowRun":
      return begins(metadata.name);
    default:
      throw new Error(`say here when a ${kind} is good`);
  }
}

async function holds(name: string, condition: string): Promise<void> {
  expect(await server.cli("wait", name, `--for=condition=${condition}`, "--timeout=90s")).toMatchObject({
    code: 0,
    out: `${name} condition met\n`,
  });
}

/** It names a repository that is nowhere: what can be shown is that its machine is made and its first step succeeds. */
async function begins(run: string): Promise<void> {
  const path = `/api/workflows/executions/${run}`;
  await until("its first step is done", async () => {
    const { body } = await server.get<{ steps: readonly { status: string }[] }>(path);
    return body.steps[0]?.status === "succeeded";
  });
  await server.cli("cancel", run); // else it would try the repository again for a while
}
