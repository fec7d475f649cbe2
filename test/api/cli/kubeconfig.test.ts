// `flywheel kubeconfig`: what others have in the file stays, and what it says of us is replaced.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { withEntry } from "../../../api/cli/kubeconfig.ts";
import { testCli } from "./test-cli.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flywheel-kubeconfig-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const entry = { name: "flywheel", server: "https://h:1", authority: "PEM", token: "t", namespace: "default" };

test("a new file has one context, which is the current one", () => {
  expect(parse(withEntry("", entry, "f"))).toEqual({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "flywheel", cluster: { server: "https://h:1", "certificate-authority-data": "UEVN" } }],
    users: [{ name: "flywheel", user: { token: "t" } }],
    contexts: [{ name: "flywheel", context: { cluster: "flywheel", user: "flywheel", namespace: "default" } }],
    "current-context": "flywheel",
  });
});

test("other clusters and comments stay; an entry of the same name is replaced", () => {
  const former = withEntry(
    "# mine\nclusters:\n- name: work\n  cluster: {server: https://work} # the office\n",
    entry,
    "f",
  );
  const next = withEntry(former, { ...entry, server: "https://new", token: undefined, authority: undefined }, "f");
  expect(next).toContain("# mine");
  expect(next).toContain("# the office");
  expect(parse(next).clusters).toEqual([
    { name: "work", cluster: { server: "https://work" } },
    { name: "flywheel", cluster: { server: "https://new" } },
  ]);
  expect(parse(next).users).toEqual([{ name: "flywheel", user: {} }]);
});

test.each([
  ["a: [", "is not YAML"],
  ["clusters: 5", "clusters is not a list"],
])("%s is left as it is", (text, why) => {
  expect(() => withEntry(text, entry, "f")).toThrow(why);
});

test("the verb writes the file of KUBECONFIG for its owner alone, and asks the server first", async () => {
  const cli = await testCli();
  const file = join(folder, "deep", "config");
  const { code, out } = await cli.run("kubeconfig --context here -n team", {
    environment: { KUBECONFIG: `${file}:other` },
  });
  expect([code, out]).toEqual([0, `context "here" written to ${file}\n`]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(parse(readFileSync(file, "utf8"))).toMatchObject({
    "current-context": "here",
    contexts: [{ context: { namespace: "team" } }],
  });
  expect(cli.requests).toEqual(["GET /api"]);
});

test("a token over plain http is warned about; --print writes nothing", async () => {
  const cli = await testCli({ apiKey: "k" });
  const { code, out, err } = await cli.run("kubeconfig --print --token k", { environment: { HOME: folder } });
  expect([code, parse(out)["current-context"]]).toEqual([0, "flywheel"]);
  expect(err).toContain("kubectl sends no token over plain http; start the server with TLS=self-signed");
  expect((await cli.run("kubeconfig --print --token wrong", {})).code).toBe(1);
});

test("a file that is no kubeconfig is refused and stays", async () => {
  const cli = await testCli();
  const file = join(folder, "config");
  writeFileSync(file, "a: [");
  const { code, err } = await cli.run(["kubeconfig", "--file", file]);
  expect(code).toBe(1);
  expect(err).toContain(`${file} is not YAML, and is left as it is`);
  expect(readFileSync(file, "utf8")).toBe("a: [");
});
