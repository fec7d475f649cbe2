// Once before the tests that start real processes: what they start is what this source makes, never an old build.
import { execFileSync } from "node:child_process";

const ROOT = new URL("../..", import.meta.url).pathname;

export default function build(): void {
  execFileSync("npm", ["run", "--silent", "build"], { cwd: ROOT, stdio: "inherit" });
}
