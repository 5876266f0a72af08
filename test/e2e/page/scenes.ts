/** Scenes for the fake bridge: functions that run in the page before its own scripts. Each stands alone. */
import type { Fake } from './fakeBridge.ts';

/** A chat with every kind of content that is hard to draw. */
export function conversation(fake: Fake): void {
  const chatId = 'c-long';
  const messages: ReturnType<Fake['message']>[] = [];
  let parentId: string | null = null;
  const add = (role: 'user' | 'assistant', content: string, extra = {}): void => {
    const entry = fake.message({ id: `m${messages.length}`, chatId, parentId, role, content, ...extra });
    messages.push(entry);
    parentId = entry.id;
  };
  const rich = [
    '# State instead of a cache',
    'Attention keeps **every** key and value; Mamba2 keeps a *fixed-size* state. Per step:',
    '$$\nh_t = a_t h_{t-1} + \\Delta_t\\, B_t x_t^\\top, \\qquad y_t = C_t^\\top h_t\n$$',
    'where \\(a_t = e^{-\\Delta_t A}\\) lies in $(0, 1]$. It costs $5 and $6 in the cloud, or US$7.',
    '1. The state has a **constant** size.\n2. Decoding costs the same at token 10 and token 100 000.\n   - so latency is flat',
    '| | attention | Mamba2 |\n|---|--:|--:|\n| memory per token | grows | constant |\n| `(1 | group)` | yes | no |',
    '```python\ndef step(h, x, a, B, C):\n    """One token: decay, write, read."""\n    h = a * h + np.outer(B, x)\n    return h, C @ h\n```',
    '> A recurrence is a cache that forgets on purpose.',
    '- [x] formula\n- [ ] proof',
    'See [the paper](https://example.invalid/paper). <b>raw html</b> stays text.',
  ];
  add('user', 'How does the Mamba2 state update differ from attention?');
  add('assistant', rich.join('\n\n'), { stats: fake.stats() });
  add('user', 'And in Python with type hints?');
  const older = { id: 'older', chatId, parentId, role: 'assistant' as const, content: 'An older version.' };
  messages.push(fake.message({ ...older, stats: fake.stats({ finishReason: 'length' }) }));
  add('assistant', 'Here is the beginning', { stats: fake.stats({ finishReason: 'cancelled', outputTokens: 20 }) });
  add('user', '😀');
  add('assistant', '🎉', { stats: fake.stats({ outputTokens: 1, itlNs: null, decodeNs: 0, reusedTokens: 0 }) });
  add('user', 'اكتب جملة قصيرة عن السماء');
  add('assistant', 'السماء زرقاء لأن الهواء يشتت الموجات القصيرة. See `code` too.', { stats: fake.stats() });
  add('user', 'Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz'.repeat(3));
  const message = 'The GPU was reset by its driver (error 999) while answering. The text so far is kept.';
  add('assistant', 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft'.repeat(2), {
    status: 'failed',
    error: { code: 'DEVICE_LOST', message, retryable: true },
  });
  fake.addChat({ id: chatId, title: 'Mamba2 against attention', messages, leafId: parentId });
  const titles = [
    'Rust lifetimes',
    'Reiseplan für eine Donaudampfschifffahrtsgesellschaft',
    'Kitchen',
    'سؤال عن السماء',
  ];
  titles.forEach((title, index) => {
    fake.addChat({ id: `o${index}`, title, updatedAt: 1_790_000_000_000 - index * 90_000_000, pinned: index === 2 });
  });
  localStorage.setItem('nemoflash.lastChat', chatId);
}

/** A block of code of 3 000 lines and a table of 40 columns. */
export function oversized(fake: Fake): void {
  const code = Array.from({ length: 3000 }, (_, line) => `const value${line} = compute(${line}); // line ${line}`);
  const row = (cell: (column: number) => string): string =>
    `|${Array.from({ length: 40 }, (_, i) => cell(i)).join('|')}|`;
  const table = [row((i) => ` column ${i} `), row(() => '---'), row((i) => ` ${i * i} `)].join('\n');
  const question = fake.message({ id: 'u', chatId: 'b', content: 'a long one' });
  const content = `Wide:\n\n${table}\n\nLong:\n\n\`\`\`ts\n${code.join('\n')}\n\`\`\`\n\nThe end.`;
  const answer = fake.message({ id: 'a', chatId: 'b', parentId: 'u', role: 'assistant', content, stats: fake.stats() });
  fake.addChat({ id: 'b', title: 'Big', messages: [question, answer], leafId: 'a' });
  localStorage.setItem('nemoflash.lastChat', 'b');
}

/** 2 000 messages. */
export function endless(fake: Fake): void {
  const messages: ReturnType<Fake['message']>[] = [];
  for (let i = 0; i < 2000; i += 1) {
    const parentId = i === 0 ? null : `m${i - 1}`;
    const role = i % 2 === 0 ? ('user' as const) : ('assistant' as const);
    const content = `Message ${i} with **bold**, \`code\`, and a few more words.\n\n- one\n- two`;
    const stats = role === 'assistant' ? fake.stats() : null;
    messages.push(fake.message({ id: `m${i}`, chatId: 'e', parentId, role, content, stats }));
  }
  fake.addChat({ id: 'e', title: 'Endless', messages, leafId: 'm1999' });
  localStorage.setItem('nemoflash.lastChat', 'e');
}

/** First start: nothing installed. */
export function firstStart(fake: Fake): void {
  fake.setInstalled([]);
  fake.setEngine({ state: 'empty', lastError: null });
}

/** The local API is on and at work. */
export function apiBusy(fake: Fake): void {
  const at = 1_790_000_000_000;
  const entry = { endedAt: null, status: null, promptTokens: 0, outputTokens: 0 };
  const ended = { phase: 'ended', status: 200, promptTokens: 212, outputTokens: 164 } as const;
  fake.setApi({
    state: 'on',
    url: 'http://127.0.0.1:8080',
    requests: [
      { ...entry, id: 6, path: '/chat/completions', phase: 'waiting', startedAt: at },
      { ...entry, id: 5, path: '/chat/completions', phase: 'reading', startedAt: at - 700, promptTokens: 8190 },
      {
        ...entry,
        id: 4,
        path: '/responses',
        phase: 'writing',
        startedAt: at - 2100,
        promptTokens: 40,
        outputTokens: 96,
      },
      { ...ended, id: 3, path: '/chat/completions', startedAt: at - 9000, endedAt: at - 7100 },
      {
        ...entry,
        id: 2,
        path: '/embeddings',
        phase: 'ended',
        status: 404,
        startedAt: at - 20_000,
        endedAt: at - 19_996,
      },
      { ...ended, id: 1, path: '/completions', status: 499, startedAt: at - 90_000, endedAt: at - 88_300 },
    ],
  });
}
