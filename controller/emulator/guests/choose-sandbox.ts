// Which sandbox machines get: bubblewrap where it works, else none, said once in a clear line.
import type { Log } from "../../kernel/log.ts";
import { bubblewrap, bubblewrapProblem } from "./bubblewrap.ts";
import { plain } from "./plain.ts";
import type { Sandbox } from "./sandbox.ts";

export type SandboxChoice = "auto" | "bubblewrap" | "plain";

export class SandboxError extends Error {
  override readonly name = "SandboxError";
}

export async function chooseSandbox(choice: SandboxChoice, mortal: boolean, log: Log): Promise<Sandbox> {
  const problem = choice === "plain" ? "asked for" : await bubblewrapProblem();
  if (problem === undefined) return bubblewrap({ mortal });
  if (choice === "bubblewrap") throw new SandboxError(`bubblewrap does not work here: ${problem}`);
  log.warn({ reason: problem }, "no sandbox: commands of emulated machines run on this computer, with your rights");
  return plain(process.env.PATH ?? "/usr/bin:/bin");
}
