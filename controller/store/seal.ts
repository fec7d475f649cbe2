// Bodies of confidential kinds are encrypted before they reach the file: AES-256-GCM, bound to the revision that wrote them, so
// that none can be read, changed or put in another's place. A body that is no JSON object is a sealed one.
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

export interface Seal {
  close(body: string, revision: number): string;
  /** Bodies that are not sealed pass. SealError when the key is another one, or the text was changed. */
  open(body: string, revision: number): string;
}

export class SealError extends Error {
  override readonly name = "SealError";
}

const CIPHER = "aes-256-gcm";
const PREFIX = "sealed:1:";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** For databases that hold no secrets: tests, and tools that only look. */
export const NO_SEAL: Seal = {
  close: (body) => body,
  open(body) {
    if (body.startsWith(PREFIX)) throw new SealError("the object is encrypted, and there is no key");
    return body;
  },
};

/** `key` has 32 bytes. */
export function sealWith(key: Uint8Array): Seal {
  return {
    close(body, revision) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(boundTo(revision));
      const text = Buffer.concat([cipher.update(body, "utf8"), cipher.final()]);
      return PREFIX + Buffer.concat([nonce, cipher.getAuthTag(), text]).toString("base64");
    },
    open(body, revision) {
      if (!body.startsWith(PREFIX)) return body;
      const bytes = Buffer.from(body.slice(PREFIX.length), "base64");
      const nonce = bytes.subarray(0, NONCE_BYTES);
      const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
      try {
        const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
          .setAAD(boundTo(revision))
          .setAuthTag(tag);
        const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([text, decipher.final()]).toString("utf8");
      } catch (cause) {
        throw new SealError(`the object of revision ${revision} cannot be decrypted: the key is another one`, {
          cause,
        });
      }
    },
  };
}

function boundTo(revision: number): Buffer {
  return Buffer.from(`revision ${revision}`);
}
