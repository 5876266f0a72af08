/** Reading while typing: tells main what is being typed, when there is power to spare. */
import { request } from '../bridge.ts';
import { useChat } from './chat.ts';
import { selectBusy } from './chatReducers.ts';
import { debounce } from './debounce.ts';

/** A pause between words rather than between letters. */
const pauseMs = 300;
/** Whoever rests so long may be done. */
const restMs = 1000;

interface Battery extends EventTarget {
  readonly charging: boolean;
}

/** True until the system says otherwise; computers without a battery never do. */
let hasPower = true;
let isWatching = false;

function watchPower(): void {
  if (isWatching) return;
  isWatching = true;
  const { getBattery } = navigator as { getBattery?: () => Promise<Battery> };
  getBattery?.call(navigator).then(
    (battery) => {
      const note = (): void => void (hasPower = battery.charging);
      note();
      battery.addEventListener('chargingchange', note);
    },
    () => undefined,
  );
}

function ask(chatId: string, content: string, whole: boolean): void {
  const state = useChat.getState();
  const { open } = state;
  if (!hasPower || open?.id !== chatId || open.draft !== content || selectBusy(state)) return;
  // What cannot be prepared is read when the message is sent.
  request('chat.prepare', { chatId, parentId: open.path.at(-1) ?? null, content, whole }).catch(() => undefined);
}

const prepare = debounce(pauseMs, (chatId: string, content: string) => ask(chatId, content, false));
const prepareWhole = debounce(restMs, (chatId: string, content: string) => ask(chatId, content, true));

export function noteTyping(chatId: string, content: string): void {
  watchPower();
  prepare(chatId, content);
  prepareWhole(chatId, content);
}

export function stopPreparing(): void {
  prepare.cancel();
  prepareWhole.cancel();
}
