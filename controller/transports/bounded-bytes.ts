// Output of a command up to a bound. What comes after it is taken and dropped, so that the command is not held up.

export interface BoundedBytes {
  push(chunk: Uint8Array): void;
  bytes(): Uint8Array;
}

export function boundedBytes(maxBytes: number): BoundedBytes {
  const chunks: Uint8Array[] = [];
  let kept = 0;
  return {
    push(chunk) {
      const room = maxBytes - kept;
      if (room <= 0) return;
      const piece = chunk.subarray(0, room);
      chunks.push(piece);
      kept += piece.byteLength;
    },
    bytes: () => Buffer.concat(chunks),
  };
}
