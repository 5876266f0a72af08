import { expect, test } from 'vitest';

import { titleFrom } from '../../../main/history/title.ts';

test.each([
  ['Where is New York?', 'Where is New York?'],
  ['\n\n## **Plan** for `today`\nmore', 'Plan for today'],
  ['```\ncode here\n```', 'code here'],
  ['- [ ] buy milk', '[ ] buy milk'],
  ['', 'New chat'],
  ['🗽🗽', 'New chat'],
  [
    'Please explain, in simple words, why the sky looks blue at noon',
    'Please explain, in simple words, why the sky looks blue at…',
  ],
  ['日'.repeat(100), `${'日'.repeat(59)}…`],
])('the title of %j is %j', (message, title) => {
  expect(titleFrom(message)).toBe(title);
});
