/** The chat service over a fake engine and a real store, on a clock that stands still. */
import { afterEach, beforeEach, onTestFinished, vi } from 'vitest';

import { ChatService } from '../../../main/chat/chatService.ts';
import type { Publish } from '../../../main/chat/runningAnswer.ts';
import { defaultSettings } from '../../../main/contract/domain.ts';
import type { Message } from '../../../main/contract/domain.ts';
import type { EventName, Events } from '../../../main/contract/ipcEvents.ts';
import type { EngineService } from '../../../main/engine/engineApi.ts';
import { silentLog } from '../../../main/log.ts';
import { openTestHistory, testHome } from '../history/testHome.ts';
import { FakeEngine } from './fakeEngine.ts';

type Published = { readonly [E in EventName]: { readonly event: E; readonly payload: Events[E] } }[EventName];

export function setUp(home = testHome()) {
  const engine = new FakeEngine();
  const history = openTestHistory(home);
  const events: Published[] = [];
  const publish: Publish = (event, payload) => events.push({ event, payload } as Published);
  const answered: Message[] = [];
  const settings = { current: { ...defaultSettings, systemPrompt: 'Be brief.' } };
  const chats = new ChatService({
    engine: engine satisfies EngineService,
    store: history.chats,
    settings,
    publish,
    log: silentLog,
    onAnswered: (answer) => answered.push(answer),
  });
  onTestFinished(() => chats.dispose());
  const of = <E extends EventName>(name: E) =>
    events.filter(({ event }) => event === name).map(({ payload }) => payload as Events[E]);
  const settled = () => vi.advanceTimersByTimeAsync(0);
  return { home, engine, history, chats, events, of, answered, settled };
}

export function ask(service: ReturnType<typeof setUp>, content = 'Where is New York?') {
  const chat = service.chats.create();
  return { chat, ...service.chats.send({ chatId: chat.id, parentId: null, content }) };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});
