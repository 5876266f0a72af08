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

/** A working day: a long chat with versions, code and a table, among other chats. */
export function workingDay(fake: Fake): void {
  const chatId = 'c-query';
  const messages: ReturnType<Fake['message']>[] = [];
  let parentId: string | null = null;
  const add = (role: 'user' | 'assistant', content: string, extra = {}): void => {
    const stats = role === 'assistant' ? fake.stats() : null;
    const entry = fake.message({ id: `q${messages.length}`, chatId, parentId, role, content, stats, ...extra });
    messages.push(entry);
    parentId = entry.id;
  };
  const other = (content: string): void => {
    const place = { id: `v${messages.length}`, chatId, parentId, role: 'assistant' as const, content };
    messages.push(fake.message({ ...place, stats: fake.stats() }));
  };
  add(
    'user',
    'Our orders page takes four seconds since yesterday. The query filters by customer and sorts by date. Ideas?',
  );
  add(
    'assistant',
    [
      'Four seconds with a filter and a sort usually means that the database reads far more rows than it returns. Three things to look at, cheapest first:',
      '1. **Is there one index for both?** An index on `customer_id` alone finds the rows, then sorts all of them.\n2. **Did the statistics go stale?** A large import yesterday would do that; `ANALYZE orders;` takes seconds.\n3. **Does the page ask for everything?** `SELECT *` with wide JSON columns moves megabytes for twenty lines of a table.',
      'Show me the output of `EXPLAIN (ANALYZE, BUFFERS)` and I can say which it is.',
    ].join('\n\n'),
  );
  add('user', 'It says Seq Scan on orders, rows=1204331, then a Sort that spills to disk.');
  other('Then it is the index. Create one on both columns.');
  other('The sort spills because work_mem is too small. Raise it for this session and try again.');
  add(
    'assistant',
    [
      'Then it is the first one: no index fits, so every order is read and the sort does not fit in memory either. One index answers both, because its entries are already in the order you want:',
      '```sql\nCREATE INDEX CONCURRENTLY orders_by_customer\n    ON orders (customer_id, created_at DESC)\n    INCLUDE (status, total_cents);\n```',
      '| | before | after |\n|---|--:|--:|\n| rows read | 1 204 331 | 20 |\n| sort | on disk, 96 MB | none |\n| expected time | 4 s | under 5 ms |',
      '`CONCURRENTLY` keeps the table writable meanwhile; it takes longer and must not run inside a transaction.',
    ].join('\n\n'),
  );
  add('user', 'Worked: 3 ms. Could the same thing happen on the invoices page?');
  add(
    'assistant',
    "Yes, if it has the same shape: a filter on one column and a sort on another. List every query of that kind with\n\n```sql\nSELECT calls, round(mean_exec_time) AS ms, query\n  FROM pg_stat_statements\n WHERE query ILIKE '%order by%limit%'\n ORDER BY total_exec_time DESC\n LIMIT 10;\n```\n\nand look at the ones whose `ms` is far above the rest.",
  );
  fake.addChat({ id: chatId, title: 'Slow orders page', messages, leafId: parentId, updatedAt: 1_790_000_000_000 });
  const others = [
    'Trip to Patagonia in November',
    'Cover letter, shorter',
    'Regex for ISO dates',
    'Sourdough that does not rise',
  ];
  others.forEach((title, index) => {
    fake.addChat({ id: `o${index}`, title, updatedAt: 1_790_000_000_000 - index * 60_000_000, pinned: index === 0 });
  });
  const words = [
    'Yes',
    ',',
    ' if',
    ' it',
    ' has',
    ' the',
    ' same',
    ' shape',
    ':',
    ' a',
    ' filter',
    ' on',
    ' one',
    ' column',
  ];
  const choices = [' and', ' then', ' when', ' this'];
  fake.details = words.map((text, index) => {
    const logprob = -[0.21, 0.05, 0.6, 0.02, 0.9, 0.1, 0.04, 1.4, 0.3, 0.2, 0.8, 0.1, 0.7, 0.2][index]!;
    const others = choices.map((other, rank) => ({
      token: 50 + rank,
      text: other,
      logprob: logprob - 1.1 - 0.8 * rank,
    }));
    return { text, logprob, top: [{ token: index, text, logprob }, ...others] };
  });
  localStorage.setItem('nemoflash.lastChat', chatId);
}

/** A chat whose older turns the model no longer sees, and an answer with what else could have been said. */
export function cutAndInspected(fake: Fake): void {
  const chatId = 'cut';
  const turn = (index: number, role: 'user' | 'assistant', content: string, extra = {}) => {
    const parentId = index === 0 ? null : `t${index - 1}`;
    const stats = role === 'assistant' ? fake.stats() : null;
    return fake.message({ id: `t${index}`, chatId, parentId, role, content, stats, ...extra });
  };
  const summary = 'They plan a week in Patagonia in November: Torres del Paine first, then El Chaltén, by bus.';
  const messages = [
    turn(0, 'user', 'Where should we begin?'),
    turn(1, 'assistant', 'With Torres del Paine, while the legs are fresh.'),
    turn(2, 'user', 'What do I pack?'),
    turn(3, 'assistant', 'A rain jacket and two layers.', {
      cut: { firstId: 't2', droppedMessages: 2, summary },
      stats: fake.stats({ restoredTokens: 4700 }),
    }),
  ];
  fake.addChat({ id: chatId, title: 'Packing', messages, leafId: 't3', context: { kind: 'summarise', keepTurns: 6 } });
  const words = ['A', ' rain', ' jacket', ' and', ' two', ' layers', '.'];
  fake.details = words.map((text, index) => {
    const others = [' warm', ' good', '\n', ' three'].map((other, rank) => {
      return { token: 100 + rank, text: other, logprob: -2.2 - rank - (index % 3) };
    });
    const logprob = -0.1 - 0.45 * (index % 4);
    return { text, logprob, top: [{ token: index, text, logprob }, ...others] };
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

/** After a crash that damaged the chats, in the installed app, with a new version at hand. */
export function troubledStart(fake: Fake): void {
  fake.info = {
    shell: 'electron',
    safeMode: true,
    notices: ['The file of the chats was damaged. The backup of 2026-11-25 was put back.'],
  };
  fake.updates = { state: 'ready', version: '0.2.0' };
}
