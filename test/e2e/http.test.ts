// The client's HTTP against servers that misbehave, on loopback.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../controller/kernel/clock.ts";
import { AnswerTooLargeError, type ClosableHttp, undiciHttp } from "../../controller/machines/http.ts";

const never = new AbortController().signal;
let closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing) await close();
  closing = [];
});

async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  closing.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("no address");
  return `http://127.0.0.1:${address.port}`;
}

function client(options: { maxAnswerBytes?: number } = {}): ClosableHttp {
  const http = undiciHttp({ clock: systemClock, ...options });
  closing.push(() => http.close());
  return http;
}

const get = (url: string) => ({ method: "GET", url, headers: { accept: "application/json" } }) as const;
const post = (url: string) => ({ method: "POST", url, headers: {}, body: "{}" }) as const;

describe("the client's HTTP", () => {
  test("sends method, headers and body, and reads the answer whole", async () => {
    const url = await listen(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      response.writeHead(201, { "Fly-Request-Id": "01H" });
      response.end(`${request.method} ${request.url} ${request.headers["x-a"]} ${body}`);
    });
    const answer = await client().send(
      { method: "PATCH", url: `${url}/a?b=c`, headers: { "x-a": "1" }, body: '{"d":"ä"}' },
      never,
    );
    expect(answer).toMatchObject({
      status: 201,
      headers: { "fly-request-id": "01H" },
      body: 'PATCH /a?b=c 1 {"d":"ä"}',
    });
  });

  test("gives cookies back to the one that set them, and to nobody else, until they end", async () => {
    const seen: string[] = [];
    const handler = (request: IncomingMessage, response: ServerResponse) => {
      seen.push(`${request.url} ${request.headers.cookie}`);
      if (request.url === "/set") {
        response.setHeader("set-cookie", [
          "a=1; Path=/",
          "b=2; Path=/deep",
          "c=3; Secure; Path=/",
          "d=4; Max-Age=0; Path=/",
        ]);
      }
      if (request.url === "/unset")
        response.setHeader("set-cookie", "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
      response.end();
    };
    const [one, other] = [await listen(handler), await listen(handler)];
    const http = client();
    for (const url of [`${one}/set`, `${one}/x`, `${one}/deep/x`, `${other}/x`, `${one}/unset`, `${one}/x`]) {
      await http.send(get(url), never);
    }
    expect(seen).toEqual([
      "/set undefined",
      "/x a=1",
      "/deep/x a=1; b=2",
      "/x undefined",
      "/unset a=1",
      "/x undefined",
    ]);
  });

  test("follows no redirect", async () => {
    const url = await listen((_request, response) => {
      response.writeHead(302, { location: "http://127.0.0.1:1/" }).end();
    });
    expect((await client().send(get(url), never)).status).toBe(302);
  });

  test("rejects an answer that is cut off", async () => {
    const url = await listen((_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("{");
      setTimeout(() => response.destroy(), 50);
    });
    await expect(client().send(post(url), never)).rejects.toThrow();
  });

  test("rejects an answer that is larger than any should be", async () => {
    const url = await listen((_request, response) => {
      response.end("x".repeat(5000));
    });
    await expect(client({ maxAnswerBytes: 1000 }).send(get(url), never)).rejects.toThrow(AnswerTooLargeError);
  });

  test("never sends a mutation twice, also when the connection was closed in the meantime", async () => {
    let posts = 0;
    const url = await listen((request, response) => {
      if (request.method === "POST") {
        posts += 1;
        request.socket.destroy(); // the effect has happened, the answer is lost
        return;
      }
      response.end();
    });
    const http = client();
    await http.send(get(url), never);
    await expect(http.send(post(url), never)).rejects.toThrow();
    expect(posts).toBe(1);
  });

  test("ends when its signal says so", async () => {
    const url = await listen(() => undefined);
    const limit = new AbortController();
    const sent = client().send(get(url), limit.signal);
    setTimeout(() => limit.abort(new Error("no time left")), 50);
    await expect(sent).rejects.toThrow("no time left");
  });
});
