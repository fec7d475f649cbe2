// `npm run sim -- --spec-walk`: every value of every field, and every way to every spec. Exit code 1 when something is wrong.
import { KINDS } from "../../crds/kinds.ts";
import { walkApi } from "./spec-walk-api.ts";
import { hasSpec } from "./spec-walk-fields.ts";
import { subjectsOf, walkPaths } from "./spec-walk-paths.ts";

export async function reportSpecWalk(nowMs: () => number): Promise<number> {
  const beganMs = nowMs();
  const walk = await walkApi(KINDS.filter(hasSpec));
  console.log(`${walk.fields} fields, ${walk.cases} values, ${walk.accepted.length} of them accepted`);
  const subjects = subjectsOf(walk, Number.POSITIVE_INFINITY);
  const problems = [...walk.problems, ...(await walkPaths(subjects))];
  for (const problem of problems) console.log(problem);
  const seconds = ((nowMs() - beganMs) / 1000).toFixed(0);
  console.log(
    `${subjects.length} specs, each reached in three ways and left again: ${problems.length} problems, ${seconds} s`,
  );
  return problems.length === 0 ? 0 : 1;
}
