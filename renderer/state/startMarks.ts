/** When the page came up, told to main once: it knows when the app began, the page knows when it could be used. */
import { request } from '../bridge.ts';
import { useChat } from './chat.ts';

function report(): void {
  const nowMs = performance.now();
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  const marks = { pageBegin: 0, composer: nowMs, ...(paint && { firstPaint: paint.startTime }) };
  // Nobody waits for it, and without it the start is shown without the page.
  request('metrics.startupMarks', { marks, agoMs: nowMs }).catch(() => undefined);
}

/** The message field can be used from the first frame that shows it with a chat to write into. */
export function watchStart(): void {
  const stop = useChat.subscribe(({ open }) => {
    if (open === null) return;
    stop();
    requestAnimationFrame(() => setTimeout(report));
  });
}
