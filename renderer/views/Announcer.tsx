import { useEffect, useRef } from 'react';

import { useChat } from '../state/chat.ts';
import { selectActiveRun } from '../state/chatReducers.ts';
import { strings } from '../strings.ts';

const pauseMs = 1200;

/** Offset after the last sentence that is complete; `from` when there is none. */
export function sentenceEnd(text: string, from: number): number {
  const rest = text.slice(from);
  let end = 0;
  for (const match of rest.matchAll(/[.!?…。！？](?=[\s"'”’)\]]|$)["'”’)\]]*\s|\n\n/g))
    end = match.index + match[0].length;
  return from + end;
}

/** Markdown as it should be heard. */
function spoken(markdown: string): string {
  return markdown
    .replace(/```[\s\S]*?(```|$)/g, ' ')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*_`#>|~]+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Reads answers to screen readers: whole sentences, with pauses, never token by token. */
export function Announcer() {
  const region = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let generationId: string | null = null;
    let said = 0;
    let text = '';
    let timer: ReturnType<typeof setTimeout> | undefined;
    const say = (upTo: number): void => {
      const words = spoken(text.slice(said, upTo));
      said = upTo;
      if (words !== '' && region.current !== null) region.current.textContent = words;
    };
    const end = useChat.subscribe((state) => {
      const run = selectActiveRun(state);
      if (run === null) {
        clearTimeout(timer);
        timer = undefined;
        if (generationId !== null) say(text.length);
        generationId = null;
        return;
      }
      if (run.generationId !== generationId) {
        generationId = run.generationId;
        said = run.base?.length ?? 0;
      }
      text = run.content.text;
      timer ??= setTimeout(() => {
        timer = undefined;
        say(sentenceEnd(text, said));
      }, pauseMs);
    });
    return () => {
      clearTimeout(timer);
      end();
    };
  }, []);
  return (
    <div ref={region} className="visually-hidden" aria-live="polite" role="log" aria-label={strings.chat.announced} />
  );
}
