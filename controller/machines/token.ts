// How a Fly token is presented. Macaroons have a scheme of their own, FlyV1, which is also how `fly tokens create` prints
// them; everything else is a bearer token. Source: Fly's documentation of tokens.

const MACAROON = /^(fm1[ar]_|fm2_)/;

/** The value of the Authorization header for a token as a person would paste it. */
export function authorization(token: string): string {
  const text = token.trim().replace(/^Bearer\s+/i, "");
  const scheme = /^FlyV1\s+(.*)$/s.exec(text);
  if (scheme) return `FlyV1 ${scheme[1]}`;
  return MACAROON.test(text) ? `FlyV1 ${text}` : `Bearer ${text}`;
}
