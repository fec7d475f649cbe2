import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { authorityFile, serverTls } from "../../controller/tls.ts";
import { virtualClock } from "../virtual-clock.ts";

let dataDir = "";
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "flywheel-tls-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const clock = virtualClock();
const own = (host: string) => serverTls({ tls: "self-signed", host, dataDir }, clock);

test("plain http has nothing of it", async () => {
  expect(await serverTls({ tls: undefined, host: "127.0.0.1", dataDir }, clock)).toBeUndefined();
  expect(readdirSync(dataDir)).toEqual([]);
});

test("the certificate names this computer and is signed by an authority that stays", async () => {
  const first = new X509Certificate((await own("10.1.2.3"))?.cert ?? "");
  const authority = new X509Certificate(readFileSync(authorityFile(dataDir)));
  expect([authority.ca, first.ca, first.verify(authority.publicKey)]).toEqual([true, false, true]);
  expect(first.subjectAltName).toMatch(/DNS:localhost.*IP Address:127\.0\.0\.1.*IP Address:10\.1\.2\.3/);
  const second = new X509Certificate((await own("127.0.0.1"))?.cert ?? "");
  expect(second.fingerprint256).not.toBe(first.fingerprint256);
  expect(second.verify(authority.publicKey)).toBe(true);
  expect(statSync(join(dataDir, "tls", "ca-key.pem")).mode & 0o777).toBe(0o600);
});

test("a file that cannot be read is named by its variable", async () => {
  const tls = { certFile: join(dataDir, "none"), keyFile: join(dataDir, "none") };
  await expect(serverTls({ tls, host: "127.0.0.1", dataDir }, clock)).rejects.toThrow(
    /^TLS_CERT_FILE=.*none: cannot be read/,
  );
});
