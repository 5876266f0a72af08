/**
 * Tables whose cells contain pipes. GFM ends a cell at every bare pipe, even inside code and formulas, and drops what
 * is then too much. Models write such cells all the time, so in a row with too many cells the pipes that clearly are
 * content are escaped before parsing. Only what is drawn is concerned: the message keeps its text.
 */

const delimiterRow = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

/** Offsets of the pipes that end cells. */
function barePipes(row: string): number[] {
  const found: number[] = [];
  for (let i = 0; i < row.length; i += 1) {
    if (row[i] === '\\') i += 1;
    else if (row[i] === '|') found.push(i);
  }
  return found;
}

function cellCount(row: string): number {
  const inner = row
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '');
  return barePipes(inner).length + 1;
}

/** Replaces every bare pipe inside the matches of a pattern. */
function replaceInside(row: string, pattern: RegExp, pipe: string): string {
  return row.replace(pattern, (match) => match.replace(/(?<!\\)\|/g, () => pipe));
}

/** From the surest sign of content to the weakest: code, formulas, brackets. In TeX an escaped pipe is a double bar. */
const contents = [
  { pattern: /(`+)(?!`)[^`]*?\1(?!`)/g, pipe: '\\|' },
  { pattern: /\$[^$\s][^$]*\$|\\\([^)]*\\\)/g, pipe: '{\\vert}' },
  { pattern: /\([^()]*\)|\[[^[\]]*\]|\{[^{}]*\}/g, pipe: '\\|' },
];

function repairRow(row: string, columns: number): string {
  let repaired = row;
  for (const { pattern, pipe } of contents) {
    if (cellCount(repaired) <= columns) return repaired;
    repaired = replaceInside(repaired, pattern, pipe);
  }
  // What is still too much belongs to the last cell rather than to nobody.
  const pipes = barePipes(repaired);
  const leading = repaired.trimStart().startsWith('|') ? 1 : 0;
  const trailing = /(?<!\\)\|\s*$/.test(repaired) ? 1 : 0;
  const surplus = pipes.slice(leading + columns - 1, trailing === 1 ? -1 : undefined);
  for (const at of surplus.reverse()) repaired = `${repaired.slice(0, at)}\\${repaired.slice(at)}`;
  return repaired;
}

export function repairTableRows(source: string): string {
  if (!source.includes('|')) return source;
  const lines = source.split('\n');
  let columns = 0;
  for (let i = 1; i < lines.length; i += 1) {
    const line = lines[i] ?? '';
    if (columns > 0) {
      if (line.trim() === '') columns = 0;
      else if (cellCount(line) > columns) lines[i] = repairRow(line, columns);
    } else if (line.includes('|') && delimiterRow.test(line) && (lines[i - 1] ?? '').includes('|')) {
      columns = cellCount(line);
      // A header with a pipe in code would make it no table at all.
      const header = lines[i - 1] ?? '';
      if (cellCount(header) > columns) lines[i - 1] = repairRow(header, columns);
    }
  }
  return lines.join('\n');
}
