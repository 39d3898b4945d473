/**
 * Text in which everything can be seen. Keys and values hold whatever a producer sent: controls have no form, and those of the
 * direction of text show it in another order than it has.
 */

/** Controls, format characters, and separators of lines and of paragraphs; not the joiners within words and emoji. */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const UNSEEN_IN_LINES = /(?![\u200c\u200d\n\t]|\r\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const ESCAPES: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Returns the text on one line, with `\x1b` or `\u202e` in place of each character that cannot be seen. */
export function visible(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** Returns the text with its own lines and tabs. */
export function visibleLines(text: string): string {
  return text.replace(UNSEEN_IN_LINES, escaped);
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const known = ESCAPES[character];
  if (known !== undefined) return known;
  if (code > 0xffff) return `\\u{${code.toString(16)}}`;
  return code > 0xff
    ? `\\u${code.toString(16).padStart(4, "0")}`
    : `\\x${code.toString(16).padStart(2, "0")}`;
}
