/** Keys and values are transferred as Base64, which is exact for any bytes, and decoded only for display. */

import { visible } from "./visible";

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();
const UNDECODED_BYTES_MAX = 64;
/** Spaces, and letters and joiners without a form, at either end. */
const UNSEEN_END =
  /^[\s\u200c\u200d\u115f\u1160\u2800\u3164\uffa0]|[\s\u200c\u200d\u115f\u1160\u2800\u3164\uffa0]$/;
const CONTROL = /\p{Cc}/u;

export function bytesOf(base64: string): Uint8Array {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export function base64OfBytes(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

export function base64OfText(text: string): string {
  return base64OfBytes(ENCODER.encode(text));
}

export function byteLength(base64: string): number {
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  return (base64.length / 4) * 3 - padding;
}

/** Returns the bytes as text, or null if they are not UTF-8. */
export function textOf(base64: string): string | null {
  return textOfBytes(bytesOf(base64));
}

/** Returns the id of a key on this page, base64url without padding: the `id` of its entry in a table without a name. */
export function idOf(base64: string): string {
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Returns the `id` that the service gives the entry of the key with this id, in a table with that name. */
export function nodeIdOf(id: string, table: string | null): string {
  if (table === null) return id;
  const name = ENCODER.encode(`${table}\0`);
  return idOf(base64OfBytes(new Uint8Array([...name, ...bytesOf(base64OfId(id))])));
}

export function base64OfId(id: string): string {
  const base64 = id.replaceAll("-", "+").replaceAll("_", "/");
  return base64 + "=".repeat((4 - (base64.length % 4)) % 4);
}

/** Returns the key as the service shows it, with bytes that are not UTF-8 as \xNN. */
export function keyOf(base64: string): string {
  const bytes = bytesOf(base64);
  const text = textOfBytes(bytes);
  if (text !== null) return text;
  let shown = "";
  for (let i = 0; i < bytes.length;) {
    const length = sequenceLength(bytes[i] ?? 0);
    const character =
      i + length <= bytes.length ? textOfBytes(bytes.subarray(i, i + length)) : null;
    shown += character ?? `\\x${(bytes[i] ?? 0).toString(16).padStart(2, "0")}`;
    i += character === null ? 1 : length;
  }
  return shown;
}

/** Returns a key that its format cannot decode: as text if that is readable, else its first bytes. */
export function undecodedKeyOf(base64: string): string {
  return isPrintable(bytesOf(base64)) ? keyOf(base64) : hexOf(base64, UNDECODED_BYTES_MAX);
}

/** Returns a key as labels show it: an empty one is named, and one with invisible characters at its ends is quoted. */
export function labelOf(key: string): string {
  if (key === "") return "(empty key)";
  const shown = visible(key);
  return UNSEEN_END.test(key) ? `"${shown}"` : shown;
}

/** Returns hexadecimal bytes such as `48 65 6c 6c 6f`, for values that are not text. */
export function hexOf(base64: string, bytesMax: number): string {
  const bytes = bytesOf(base64.slice(0, Math.ceil(bytesMax / 3) * 4));
  const shown = Array.from(bytes.subarray(0, bytesMax), (byte) =>
    byte.toString(16).padStart(2, "0"),
  );
  return shown.join(" ") + (byteLength(base64) > bytesMax ? " …" : "");
}

/** Tells whether the service could have produced this id. */
export function isId(id: string): boolean {
  try {
    return id !== "" && idOf(base64OfBytes(bytesOf(base64OfId(id)))) === id;
  } catch {
    return false;
  }
}

/** Tells whether bytes are text without control characters. */
export function isPrintable(bytes: Uint8Array): boolean {
  const text = textOfBytes(bytes);
  return text !== null && !CONTROL.test(text);
}

function textOfBytes(bytes: Uint8Array): string | null {
  try {
    return STRICT.decode(bytes);
  } catch {
    return null;
  }
}

function sequenceLength(lead: number): number {
  return lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
}
