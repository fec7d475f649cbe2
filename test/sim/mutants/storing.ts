// Bugs in the store and in who may write what: stale writes, gaps in revisions and watches, a deletion that is taken back.
import type { Mutant } from "./mutant.ts";

export const STORING: readonly Mutant[] = [
  {
    name: "stale-write",
    bug: "a write that was decided on an older state is taken",
    peer: "agent-sandbox#418",
    breaks: ["S4", "S9", "acknowledged"],
    edits: [
      {
        file: "controller/store/transition.ts",
        find: "if (wanted.resourceVersion && wanted.resourceVersion !== resourceVersion) {",
        replace: "if (false) {",
      },
    ],
  },
  {
    name: "revision-lost-in-conflict",
    bug: "a create that is refused uses up a revision",
    peer: "none: the rule itself",
    breaks: ["S10", "assertion"],
    edits: [
      {
        file: "controller/store/object-store.ts",
        find: "      throw new AlreadyExistsError(kind, object.metadata);\n    }\n    const next",
        replace:
          "      ledger.advance();\n      throw new AlreadyExistsError(kind, object.metadata);\n    }\n    const next",
      },
    ],
  },
  {
    name: "watch-coalesces",
    bug: "of the writes of one commit a watcher sees the last",
    peer: "sieve-project/sieve: unobserved state",
    breaks: ["S10"],
    edits: [
      {
        file: "controller/store/watch-hub.ts",
        find: "for (const watcher of watchers) serve(watcher, change);",
        replace: "if (row === rows.at(-1)) for (const watcher of watchers) serve(watcher, change);",
      },
    ],
  },
  {
    name: "deletion-taken-back",
    bug: "a status that is written takes back a deletion",
    peer: "none: the rule itself",
    breaks: ["S9"],
    edits: [
      {
        file: "controller/store/transition.ts",
        find: "const metadata = { ...rest.metadata, managedFields: kept };",
        replace: "const metadata = { ...rest.metadata, managedFields: kept, deletionTimestamp: undefined };",
      },
    ],
  },
  {
    name: "observed-too-early",
    bug: "status has observed a generation before anything was done about it",
    peer: "agent-sandbox#119",
    breaks: ["S9"],
    edits: [
      {
        file: "controller/runtime/managed.ts",
        find: "const observation = await external.observe(object, signal);",
        replace: `const { generation: observedGeneration } = object.metadata;
    const conditions = object.status?.conditions?.map((each) => ({ ...each, observedGeneration }));
    if (conditions) await commit({ ...object.status, observedGeneration, conditions });
    const observation = await external.observe(object, signal);`,
      },
    ],
  },
];
