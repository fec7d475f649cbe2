import { describe, expect, test } from "vitest";
import { UsageError } from "../../../api/cli/failure.ts";
import { query, render } from "../../../api/cli/json-path.ts";

const OBJECT = {
  metadata: { name: "web", labels: { "app.example.com/tier": "a b" } },
  status: {
    ready: false,
    conditions: [
      { type: "Ready", status: "True" },
      { type: "Reachable", status: "False" },
    ],
    machine: { id: "148e" },
  },
};

describe("a path", () => {
  test.each([
    ["{.metadata.name}", ["web"]],
    [".metadata.name", ["web"]],
    ["metadata.name", ["web"]],
    ["{$.metadata.name}", ["web"]],
    ["{.metadata.labels['app.example.com/tier']}", ["a b"]],
    ["{.metadata.labels.app\\.example\\.com/tier}", undefined],
    ["{.status.conditions[0].type}", ["Ready"]],
    ["{.status.conditions[-1].type}", ["Reachable"]],
    ["{.status.conditions[*].status}", ["True", "False"]],
    ['{.status.conditions[?(@.type=="Ready")].status}', ["True"]],
    ['{.status.conditions[?(@.type != "Ready")].status}', ["False"]],
    ["{.status.ready}", [false]],
    ["{.status.nothing.at.all}", []],
    ["{.status.machine[0]}", []],
    ["{.constructor}", []],
    ["{}", [OBJECT]],
  ])("%s", (path, values) => {
    if (values === undefined) expect(() => query(path, OBJECT)).toThrow(UsageError);
    else expect(query(path, OBJECT)).toEqual(values);
  });
});

describe("a template", () => {
  test.each([
    ['{.metadata.name}{"\\t"}{.status.machine.id}{"\\n"}', "web\t148e\n"],
    ["name: {.metadata.name}!", "name: web!"],
    ["{.status.conditions[*].type}", "Ready Reachable"],
    ["{.status.machine}", '{"id":"148e"}'],
    ['{.status.conditions[?(@.type=="Ready")].status}', "True"],
    [".status.machine.id", "148e"],
  ])("%s", (template, text) => {
    expect(render(template, OBJECT)).toBe(text);
  });
});
