/**
 * A program that chats until it is killed. Each line it prints was true before it was printed: what the store had
 * accepted, and how much text had come when. Arguments: the home folder and a seed.
 */
import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

import { ChatService } from '../../main/chat/chatService.ts';
import { defaultSettings } from '../../main/contract/domain.ts';
import { openHistorySync } from '../../main/history/history.ts';
import { resolveHome } from '../../main/home.ts';
import { silentLog } from '../../main/log.ts';
import { FakeEngine } from '../unit/chat/fakeEngine.ts';

/** The text of every answer, known to the test as well: the words 0, 1, 2, … */
const word = (index: number) => `${index} `;
const report = (...fields: readonly (string | number)[]) => writeSync(1, `${fields.join('\t')}\n`);

/** Afterwards every timer that was due at the moment it reports has had its turn. */
async function rest(ms: number): Promise<void> {
  await sleep(ms);
  const at = performance.now();
  await turn();
  report('turn', at);
}

const [folder, seed] = process.argv.slice(2);
let state = Number(seed);
/** A small linear congruential generator: 0 <= value < below. */
const random = (below: number) => {
  state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
  return Math.floor((state / 2 ** 32) * below);
};

// At the end would be too late for a program that is killed.
flushCompileCache();
const { chats: store, notice } = openHistorySync(resolveHome(folder), silentLog);
if (notice) throw new Error(notice);
const engine = new FakeEngine();
const service = new ChatService({
  engine,
  store,
  settings: { current: defaultSettings },
  publish: (event, payload) => {
    if (event === 'chat.finished' && 'message' in payload) {
      report('finished', payload.message.id, payload.message.content.length);
    }
  },
  log: silentLog,
});

for (;;) {
  const chat = service.create();
  let parentId: string | null = null;
  for (let turn = 0; turn < 3; turn++) {
    const draft = `draft ${random(1e9)}`;
    service.update({ chatId: chat.id, draft });
    report('draft', chat.id, draft);
    const { user, answer } = service.send({ chatId: chat.id, parentId, content: `question ${random(1e9)}` });
    report('sent', user.id, answer.id, user.content);
    const words = 20 + random(600);
    for (let index = 0, length = 0; index < words; index++) {
      engine.last.feed(word(index));
      length += word(index).length;
      report('text', answer.id, length, performance.now());
      if (random(3) === 0) await rest(random(12));
    }
    engine.last.finish();
    await sleep(1);
    parentId = answer.id;
  }
}
