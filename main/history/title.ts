/** Titles without a model call: the first words of the first message. */

export const untitled = 'New chat';
const maxTitleChars = 60;

/** One line, without Markdown's marks, cut between words. */
export function titleFrom(message: string): string {
  const firstLine = message
    .split('\n')
    .map((line) =>
      line
        .replace(/^[\s>#*+-]+/, '')
        .replace(/[`*_~]+/g, '')
        .replace(/\s+/g, ' ')
        .trim(),
    )
    .find((line) => /[\p{L}\p{N}]/u.test(line));
  if (!firstLine) return untitled;
  const characters = [...firstLine];
  if (characters.length <= maxTitleChars) return firstLine;
  const cut = characters.slice(0, maxTitleChars - 1).join('');
  const lastSpace = cut.lastIndexOf(' ');
  // A language without spaces, or one very long word, is cut where the room ends.
  const words = lastSpace > maxTitleChars / 2 ? cut.slice(0, lastSpace) : cut;
  return `${words.replace(/[\s,;:.–-]+$/u, '')}…`;
}
