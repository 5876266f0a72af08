import { useState } from 'react';

import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';

/** Of a pasted log or a book only the beginning is set: the answer is what the reader wants to see. */
const foldedChars = 1200;
const foldedLines = 16;
/** Folding away less than this would save nothing. */
const worthChars = 400;

function beginning(text: string): string {
  const head = text.slice(0, foldedChars).split('\n').slice(0, foldedLines).join('\n');
  if (text.length - head.length < worthChars) return text;
  // Not inside a word, nor inside a character.
  return head
    .replace(/\S{0,80}$/, '')
    .trimEnd()
    .toWellFormed();
}

/** What the user wrote, as it was written; long ones are folded until they are asked for. */
export function QuestionText({ text, raw }: { readonly text: string; readonly raw: boolean }) {
  const [open, setOpen] = useState(false);
  const head = beginning(text);
  const isLong = head !== text;
  const shown = open || !isLong ? text : `${head}…`;
  return (
    <div className="question" dir="auto">
      {raw ? <pre className="raw">{shown}</pre> : shown}
      {isLong && (
        <p className="question-more">
          <Button look="link" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? strings.code.collapse : strings.chat.showAll(text.length)}
          </Button>
        </p>
      )}
    </div>
  );
}
