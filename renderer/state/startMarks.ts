/** When the page came up, told to main once: it knows when the app began, the page knows when it could be used. */
import { request } from '../bridge.ts';
import { useChat } from './chat.ts';

function report(): void {
  const composer = performance.now();
  // The paint is told of a little later than it happens.
  new PerformanceObserver((list, observer) => {
    const paint = list.getEntriesByName('first-contentful-paint')[0];
    if (paint === undefined) return;
    observer.disconnect();
    const marks = { pageBegin: 0, composer, firstPaint: paint.startTime };
    // Nobody waits for it, and without it the start is shown without the page.
    request('metrics.startupMarks', { marks, agoMs: performance.now() }).catch(() => undefined);
  }).observe({ type: 'paint', buffered: true });
}

/** The message field can be used from the first frame that shows it with a chat to write into. */
export function watchStart(onStarted: () => void): void {
  const stop = useChat.subscribe(({ open }) => {
    if (open === null) return;
    stop();
    requestAnimationFrame(() =>
      setTimeout(() => {
        report();
        onStarted();
      }),
    );
  });
}
