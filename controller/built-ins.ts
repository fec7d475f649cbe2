// The workflows that come with the system: ordinary manifests, installed at start. One that a user has changed or made
// under the same name is theirs and stays.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { DEFAULT_NAMESPACE } from "../crds/namespace.ts";
import { type Workflow, workflowKind } from "../crds/workflow.ts";
import type { Admission } from "./admission/admission.ts";
import { ensureDefaultNamespace } from "./admission/namespace-rules.ts";
import { jsonHash } from "./kernel/json.ts";
import type { Log } from "./kernel/log.ts";
import { AlreadyExistsError } from "./store/errors.ts";
import type { Store } from "./store/store.ts";

export const BUILT_IN_LABEL = "fly.lightfast.ai/built-in";
/** Hash and generation of what we installed, so that an upgrade replaces its own and only its own. */
const INSTALLED = "fly.lightfast.ai/installed";

const FOLDER = fileURLToPath(new URL("../manifests/workflows/", import.meta.url));

interface Manifest {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
  readonly spec: unknown;
}

export async function installBuiltIns(store: Store, admission: Admission, log: Log): Promise<void> {
  await ensureDefaultNamespace(admission);
  for (const manifest of manifests()) {
    const { name } = manifest.metadata;
    const current = await store.get(workflowKind, { namespace: DEFAULT_NAMESPACE, name });
    if (!current) {
      await createIfAbsent(() => admission.create(workflowKind, withMarks(manifest, 1)));
      log.info({ workflow: name }, "installed built-in workflow");
    } else if (isUntouched(current) && installedHash(current) !== jsonHash(manifest.spec)) {
      const next = withMarks(manifest, current.metadata.generation + 1);
      const key = { namespace: DEFAULT_NAMESPACE, name };
      await admission.update(workflowKind, key, () => ({
        ...next,
        metadata: { ...current.metadata, ...next.metadata },
      }));
      log.info({ workflow: name }, "upgraded built-in workflow");
    }
  }
}

/** Every change of the spec moves the generation beyond the one that we noted. */
function isUntouched({ metadata }: Workflow): boolean {
  return metadata.annotations?.[INSTALLED]?.split("/")[1] === String(metadata.generation);
}

function installedHash({ metadata }: Workflow): string | undefined {
  return metadata.annotations?.[INSTALLED]?.split("/")[0];
}

function withMarks(manifest: Manifest, generation: number) {
  const { metadata } = manifest;
  return {
    ...manifest,
    metadata: {
      ...metadata,
      namespace: DEFAULT_NAMESPACE,
      labels: { ...metadata.labels, [BUILT_IN_LABEL]: "true" },
      annotations: { ...metadata.annotations, [INSTALLED]: `${jsonHash(manifest.spec)}/${generation}` },
    },
  };
}

function manifests(): Manifest[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(".yaml"))
    .sort()
    .map((file): Manifest => parse(readFileSync(FOLDER + file, "utf8")));
}

async function createIfAbsent(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!(error instanceof AlreadyExistsError)) throw error;
  }
}
