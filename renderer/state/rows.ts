/**
 * The conversation as rows of a virtual list: a message is one row, a long answer several. So what is drawn, laid out
 * and kept as elements depends on the window, not on the length of an answer.
 */
import type { Message } from '../../main/contract/domain.ts';
import { splitBlocks } from './blocks.ts';
import type { Block, BlockList } from './blocks.ts';
import { runFor } from './chatReducers.ts';
import type { ChatState, Run } from './chatReducers.ts';

export interface Row {
  readonly key: string;
  readonly id: string;
  /** Number of this part of the message, and how many it has. */
  readonly part: number;
  readonly parts: number;
}

/** A row ends with the block that brings it to this length: about a screen. Shorter messages are one row. */
const rowChars = 3000;

const split = new WeakMap<Message, BlockList>();

/** The blocks of a finished message, cut once. */
export function storedBlocks(message: Message): BlockList {
  let blocks = split.get(message);
  if (blocks === undefined) {
    blocks = splitBlocks(message.content);
    split.set(message, blocks);
  }
  return blocks;
}

/** What the reader sees of a message right now. */
export const contentOf = (state: ChatState, message: Message): BlockList =>
  runFor(state, message.id)?.content ?? storedBlocks(message);

const starts = new WeakMap<BlockList, readonly number[]>();

/** Index of the first block of each row. While an answer grows, entries are only added: blocks before the tail are final. */
function startsOf(content: BlockList): readonly number[] {
  const known = starts.get(content);
  if (known !== undefined) return known;
  const found = [0];
  let chars = 0;
  content.blocks.forEach((block, index) => {
    if (chars >= rowChars) {
      found.push(index);
      chars = 0;
    }
    chars += block.source.length;
  });
  starts.set(content, found);
  return found;
}

/** What a row shows of its message; the last of `parts` rows shows all that follows. */
export function blocksOfPart(content: BlockList, part: number, parts: number): readonly Block[] {
  if (parts === 1) return content.blocks;
  const first = startsOf(content);
  return content.blocks.slice(first[part], part === parts - 1 ? undefined : first[part + 1]);
}

function partsOfMessage(message: Message | undefined, run: Run | undefined): number {
  if (run !== undefined) return startsOf(run.content).length;
  if (message?.role !== 'assistant' || message.content.length < rowChars) return 1;
  return startsOf(storedBlocks(message)).length;
}

interface Known {
  readonly wholeId: string | null;
  readonly running: string;
  readonly rows: readonly Row[];
}

/** By path: it is made anew whenever a message of the chat changes. */
const known = new WeakMap<readonly string[], Known>();
const noRows: readonly Row[] = [];

/** The same array until there is another row. `wholeId`: a finished message that is shown as something else than blocks. */
export function selectRows({ open, runs }: ChatState, wholeId: string | null): readonly Row[] {
  if (open === null) return noRows;
  const own = new Map(Object.values(runs).flatMap((run) => (run.chatId === open.id ? [[run.messageId, run]] : [])));
  const running = [...own.values()].map((run) => `${run.messageId} ${startsOf(run.content).length}`).join();
  const before = known.get(open.path);
  if (before?.wholeId === wholeId && before.running === running) return before.rows;
  const rows = open.path.flatMap((id) => {
    const run = own.get(id);
    const parts = id === wholeId && run === undefined ? 1 : partsOfMessage(open.tree.byId[id], run);
    return Array.from({ length: parts }, (_, part): Row => ({
      key: part === 0 ? id : `${id} ${part}`,
      id,
      part,
      parts,
    }));
  });
  known.set(open.path, { wholeId, running, rows });
  return rows;
}
