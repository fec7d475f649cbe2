// Output read from the log store as text: whole characters only, wherever the chunks were cut.
import { LOG_CHUNK_BYTES } from "../../controller/limits.ts";
import type { LogStore } from "../../controller/store/store.ts";

/** All that is kept of a stream. What is no UTF-8 becomes U+FFFD. */
export async function wholeText(logs: LogStore, stream: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for (let offset = 0; ; ) {
    const chunk = await logs.read(stream, offset, LOG_CHUNK_BYTES);
    if (chunk.byteLength === 0) return text + decoder.decode();
    text += decoder.decode(chunk, { stream: true });
    offset += chunk.byteLength;
  }
}

/** How many bytes of `chunk` are whole UTF-8 characters: a character that the end cuts is left for the next chunk. */
export function wholeCharacters(chunk: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, chunk.byteLength); back++) {
    const byte = chunk[chunk.byteLength - back] ?? 0;
    if (byte < 0x80) break;
    if (byte >= 0xc0) return lengthFromLead(byte) > back ? chunk.byteLength - back : chunk.byteLength;
  }
  return chunk.byteLength;
}

function lengthFromLead(byte: number): number {
  if (byte >= 0xf0) return 4;
  return byte >= 0xe0 ? 3 : 2;
}

export type Encoded = { readonly data: string } | { readonly data: string; readonly encoding: "base64" };

/** Text where the bytes are UTF-8, base64 where they are not: nothing is lost either way. */
export function encodeData(bytes: Uint8Array): Encoded {
  try {
    return { data: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { data: Buffer.from(bytes).toString("base64"), encoding: "base64" };
  }
}
