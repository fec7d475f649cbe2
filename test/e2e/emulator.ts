// The emulator as a process of its own, as `npm run emulator` starts it: a cloud that goes on when a controller dies.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Environment, type Program, startProgram } from "./program.ts";
import { endMachines, ROOT, request } from "./server.ts";

export interface EmulatedMachine {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly config: { readonly metadata: Readonly<Record<string, string>> };
}

export interface TestEmulator {
  readonly url: string;
  readonly stateDir: string;
  readonly process: Program;
  /** For a server that is to use it as if it were Fly. */
  readonly environment: Environment;
  machines(query?: string): Promise<readonly EmulatedMachine[]>;
  close(): Promise<void>;
}

const APP = "lightfast-worker-instances";

export async function startEmulator(): Promise<TestEmulator> {
  const folder = mkdtempSync(join(tmpdir(), "flywheel-e2e-fly-"));
  const stateDir = join(folder, "state");
  const token = "a-token-of-the-tests";
  const program = startProgram(join(ROOT, "node_modules/.bin/tsx"), [join(ROOT, "controller/emulator/main.ts")], {
    cwd: folder,
    env: { EMULATOR_PORT: "0", EMULATOR_STATE_DIR: stateDir, EMULATOR_TOKEN: token, LOG_LEVEL: "warn" },
  });
  const url = (await program.said(/emulator on (\S+)/))[1] ?? "";
  return {
    url,
    stateDir,
    process: program,
    environment: { FLY_API_TOKEN: token, FLY_FLAPS_BASE_URL: url, FLY_ORG_SLUG: "personal" },
    async machines(query = "") {
      const path = `${url}/v1/apps/${APP}/machines${query}`;
      const answer = await request<readonly EmulatedMachine[]>(path, "GET", undefined, {
        authorization: `Bearer ${token}`,
      });
      return answer.body;
    },
    async close() {
      await program.stop();
      await endMachines(stateDir);
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
