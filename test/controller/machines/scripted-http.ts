// An Http that answers from a list, and remembers what was asked.
import type { Http, HttpRequest, HttpResponse } from "../../../controller/kernel/http.ts";

/** An answer, an error to reject with, or silence until the signal aborts. */
export type Scripted = Partial<HttpResponse> | Error | "silence";

export interface ScriptedHttp extends Http {
  readonly requests: HttpRequest[];
  /** `METHOD path?query` of each request, in order. */
  readonly lines: readonly string[];
}

/** Answers in turn; the last answer is given for ever. */
export function scriptedHttp(...answers: readonly Scripted[]): ScriptedHttp {
  const requests: HttpRequest[] = [];
  return {
    requests,
    get lines() {
      return requests.map(
        (request) => `${request.method} ${new URL(request.url).pathname}${new URL(request.url).search}`,
      );
    },
    send(request, signal) {
      const answer = answers[Math.min(requests.length, answers.length - 1)] ?? {};
      requests.push(request);
      if (answer === "silence") {
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      }
      if (answer instanceof Error) return Promise.reject(answer);
      return Promise.resolve({ status: 200, headers: {}, body: "{}", ...answer });
    },
  };
}

export function machineBody(fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ id: "148e21aaa", name: "web-1", state: "started", region: "iad", ...fields });
}
