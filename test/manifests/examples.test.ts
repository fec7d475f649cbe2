// Every example is a valid object of its kind, and all of them can be applied together.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { kindOf } from "../../crds/kinds.ts";
import { objectMeta } from "../../crds/resource.ts";
import type { WorkflowSpec } from "../../crds/workflow.ts";
import { testCli } from "../api/cli/test-cli.ts";

const FOLDER = new URL("../../manifests/examples/", import.meta.url);
const FILES = readdirSync(FOLDER).filter((file) => file.endsWith(".yaml"));

interface Document {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: unknown;
}

const DOCUMENTS = FILES.flatMap((file) =>
  parseAllDocuments(readFileSync(new URL(file, FOLDER), "utf8")).map((document, index) => {
    if (document.errors.length > 0) throw document.errors[0];
    const object: Document = document.toJS();
    return { where: `${file} #${index + 1}`, object };
  }),
);

describe("examples", () => {
  test.each(DOCUMENTS)("$where is valid", ({ object }) => {
    const { apiVersion, kind, metadata, spec, ...more } = object;
    const spoken = kindOf(apiVersion, kind);
    if (!spoken) throw new Error(`no kind ${kind} in ${apiVersion}`);
    expect(more).toEqual({});
    expect(objectMeta.safeParse(metadata).error?.issues ?? []).toEqual([]);
    expect(spoken.fields.spec?.safeParse(spec).error?.issues ?? []).toEqual([]);
  });

  test("the folder can be applied whole, and a second time changes nothing", async () => {
    const cli = await testCli();
    const path = (folder: string) => new URL(`../../manifests/${folder}/`, import.meta.url).pathname;
    expect(await cli.run(["apply", "-f", path("workflows")])).toMatchObject({ code: 0, err: "" });
    const first = await cli.run(["apply", "-f", path("examples")]);
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(first.out.trim().split("\n")).toEqual(DOCUMENTS.map(() => expect.stringMatching(/ created$/)));
    const second = await cli.run(["apply", "-f", path("examples")]);
    expect(second.out.trim().split("\n")).toEqual(DOCUMENTS.map(() => expect.stringMatching(/ unchanged$/)));
  });

  test("a reference to an instance finds it in the same file", () => {
    for (const { where, object } of DOCUMENTS.filter(({ object }) => object.kind === "Workflow")) {
      const file = where.split(" ")[0];
      const beside = DOCUMENTS.filter((each) => each.where.startsWith(`${file} `)).map((each) => each.object);
      // Valid by the test above.
      const { instances = {} } = object.spec as Partial<WorkflowSpec>;
      for (const { ref } of Object.values(instances)) {
        if (ref === undefined) continue;
        expect(beside.some(({ kind, metadata }) => kind === "Instance" && metadata.name === ref)).toBe(true);
      }
    }
  });
});
