/**
 * A long run over the real app in a process of its own: chats, stops, branches, loads, API clients and tabs that come and
 * go, in a random order from a seed. Linux only: see soakMemory.ts.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { defaultSampling } from '../../main/contract/domain.ts';
import type { Chat, EngineStatus, Message } from '../../main/contract/domain.ts';
import { freshFolder, removeFolder } from './home.ts';
import { randomOf } from './random.ts';
import { growthOf, megabyte, takeSample } from './soakMemory.ts';
import type { MemoryGrowth, MemorySample } from './soakMemory.ts';
import { openTab } from './soakTab.ts';
import type { Tab } from './soakTab.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
const turnsPerChat = 6;

export interface SoakReport extends MemoryGrowth {
  readonly seconds: number;
  readonly answers: number;
  readonly actions: Readonly<Record<string, number>>;
  readonly lostMessages: readonly string[];
  readonly exitCode: number | null;
}

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly link: string;
  readonly apiKey: string;
  readonly probeFile: string;
}

async function startApp(home: string): Promise<Running> {
  const sampling = { ...defaultSampling, maxNewTokens: 40 };
  writeFileSync(path.join(home, 'settings.json'), JSON.stringify({ contextPositions: 4096, sampling }));
  const probe = path.join(import.meta.dirname, 'memoryProbe.mjs');
  const probeFile = path.join(home, 'probe.json');
  const flags = ['--expose-gc', '--import', probe, path.join(root, 'main', 'start.mjs')];
  const args = ['--web', '--no-build', '--json', '--home', home, '--model', 'synthetic:tiny'];
  const child = spawn(process.execPath, [...flags, ...args], {
    cwd: root,
    env: { ...process.env, NEMOFLASH_PROBE: probeFile },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { url, ui_link: link, api_key: apiKey } = JSON.parse(line) as Record<'url' | 'ui_link' | 'api_key', string>;
  return { child, url, link, apiKey, probeFile };
}

class Soak {
  readonly #running: Running;
  readonly #random: ReturnType<typeof randomOf>;
  readonly #cookie: string;
  readonly #chats: Chat[] = [];
  /** What every message must read in the end. */
  readonly #expected = new Map<string, Message>();
  readonly #turns = new Map<string, number>();
  readonly actions: Record<string, number> = {};
  readonly samples: MemorySample[] = [];
  tab: Tab;
  answers = 0;

  private constructor(running: Running, seed: number, cookie: string, tab: Tab) {
    this.#running = running;
    this.#random = randomOf(seed);
    this.#cookie = cookie;
    this.tab = tab;
  }

  static async open(running: Running, seed: number): Promise<Soak> {
    const entry = await fetch(running.link);
    const cookie = entry.headers.get('set-cookie')?.split(';')[0] ?? '';
    await entry.text();
    return new Soak(running, seed, cookie, await openTab(running.url, cookie));
  }

  /** With the model unloaded: states of conversations are kept while there is room, which is no leak. */
  async sample(): Promise<void> {
    const { pid } = this.#running.child;
    await this.tab.ask('engine.unload', {});
    this.samples.push(await takeSample(pid ?? 0, this.#running.probeFile, this.answers));
    await this.tab.ask('engine.load', { source: 'synthetic:tiny', contextPositions: 4096 });
  }

  async step(): Promise<void> {
    const kinds = [
      ...Array<'chat'>(10).fill('chat'),
      ...Array<'cancel'>(3).fill('cancel'),
      ...Array<'branch'>(4).fill('branch'),
      ...Array<'api'>(4).fill('api'),
      ...Array<'dashboard'>(2).fill('dashboard'),
      'reload' as const,
    ];
    const kind = this.#random.pick(kinds);
    this.actions[kind] = (this.actions[kind] ?? 0) + 1;
    await this[kind]();
  }

  async chat(): Promise<void> {
    const chat = await this.#openChat();
    const leaf = chat.messages.findLast(({ role }) => role === 'assistant');
    await this.#send(chat.id, leaf?.id ?? null);
  }

  async cancel(): Promise<void> {
    const chat = await this.#openChat();
    const leaf = chat.messages.findLast(({ role }) => role === 'assistant');
    await this.#send(chat.id, leaf?.id ?? null, this.#random.below(30));
  }

  async branch(): Promise<void> {
    const chat = await this.#openChat();
    const answers = chat.messages.filter(({ role }) => role === 'assistant');
    if (answers.length === 0) return this.chat();
    const { id } = this.#random.pick(answers);
    if (this.#random.below(2) === 0) return this.#send(chat.id, id);
    const begun = await this.tab.ask<{ generationId: string }>('chat.regenerate', { chatId: chat.id, messageId: id });
    await this.#finish(begun.generationId);
  }

  async api(): Promise<void> {
    const stream = this.#random.below(2) === 0;
    const body = {
      model: 'synthetic:tiny',
      stream,
      max_tokens: 20,
      messages: [{ role: 'user', content: `Question ${this.answers}` }],
    };
    const response = await fetch(`${this.#running.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#running.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok || (stream ? !text.includes('[DONE]') : !text.includes('finish_reason'))) {
      throw new Error(`The API answered ${response.status}: ${text.slice(0, 300)}`);
    }
    this.answers += 1;
  }

  /** Another tab looks at the figures, and goes. */
  async dashboard(): Promise<void> {
    const tab = await openTab(this.#running.url, this.#cookie);
    await Promise.all([
      tab.ask('metrics.overview', {}),
      tab.ask('metrics.answers', { limit: 100 }),
      tab.ask('metrics.startups', { limit: 20 }),
      tab.ask('metrics.roofline', { contextPositions: 1024 }),
      tab.ask('metrics.sample', {}),
      tab.ask('chats.list', {}),
    ]);
    tab.close();
  }

  async reload(): Promise<void> {
    if (this.#random.below(2) === 0) await this.tab.ask('engine.unload', {});
    await this.tab.ask('engine.load', { source: 'synthetic:tiny', contextPositions: 4096 });
    this.tab.close();
    this.tab = await openTab(this.#running.url, this.#cookie);
  }

  /** Every message that was sent or answered, read back: which ones are gone or differ. */
  async lostMessages(): Promise<readonly string[]> {
    const lost: string[] = [];
    for (const { id } of this.#chats) {
      const { messages } = await this.tab.ask<Chat>('chats.get', { chatId: id });
      const stored = new Map(messages.map((message) => [message.id, message]));
      for (const expected of this.#expected.values()) {
        if (expected.chatId !== id) continue;
        const found = stored.get(expected.id);
        if (found === undefined) lost.push(`${expected.id} is gone`);
        else if (found.content !== expected.content) lost.push(`${expected.id} differs`);
      }
      for (const { id: messageId, status } of messages)
        if (status === 'streaming') lost.push(`${messageId} never ended`);
    }
    return lost;
  }

  async #openChat(): Promise<Chat> {
    const open = this.#chats.filter(({ id }) => (this.#turns.get(id) ?? 0) < turnsPerChat).slice(-3);
    if (open.length > 0 && this.#random.below(8) > 0) {
      return this.tab.ask<Chat>('chats.get', { chatId: this.#random.pick(open).id });
    }
    const chat = await this.tab.ask<Chat>('chats.create', {});
    this.#chats.push(chat);
    return chat;
  }

  async #send(chatId: string, parentId: string | null, stopAfterMs?: number): Promise<void> {
    this.#turns.set(chatId, (this.#turns.get(chatId) ?? 0) + 1);
    const content = `Message ${this.#expected.size}: what is ${'very '.repeat(this.#random.below(30))}fast?`;
    const begun = await this.tab.ask<{ generationId: string; user: Message }>('chat.send', {
      chatId,
      parentId,
      content,
    });
    this.#expected.set(begun.user.id, begun.user);
    if (stopAfterMs !== undefined) {
      await sleep(stopAfterMs);
      await this.tab.ask('chat.stop', { generationId: begun.generationId });
    }
    await this.#finish(begun.generationId);
  }

  async #finish(generationId: string): Promise<void> {
    const message = await this.tab.finished(generationId);
    this.#expected.set(message.id, message);
    this.answers += 1;
  }
}

/** Throws when a request fails that should not. `leastAnswers`: also when that takes longer. `onSample` hears of each sample of memory. */
export async function soak(
  seconds: number,
  options: { readonly seed?: number; readonly leastAnswers?: number; readonly onSample?: (line: string) => void } = {},
): Promise<SoakReport> {
  const home = freshFolder('soak');
  const running = await startApp(home);
  const exited = once(running.child, 'exit');
  try {
    const run = await Soak.open(running, options.seed ?? 1);
    await run.tab.until<EngineStatus>('engine.status', ({ state }) => state === 'ready');
    const started = performance.now();
    const elapsed = (): number => (performance.now() - started) / 1000;
    const sampleEvery = Math.max(5, seconds / 60);
    let sampled = 0;
    while (elapsed() < seconds || run.answers < (options.leastAnswers ?? 0)) {
      await run.step();
      if (elapsed() < sampled + sampleEvery) continue;
      sampled = elapsed();
      await run.sample();
      const last = run.samples.at(-1);
      const [rss, heap] = [last?.rssBytes ?? 0, last?.heapBytes ?? 0].map((bytes) => (bytes / megabyte).toFixed(1));
      options.onSample?.(
        `${sampled.toFixed(0)} s  ${run.answers} answers  ${rss} MB, heap ${heap} MB  ${last?.descriptors} descriptors`,
      );
    }
    const lostMessages = await run.lostMessages();
    run.tab.close();
    running.child.kill('SIGTERM');
    const [exitCode] = (await exited) as [number | null];
    return {
      seconds: Math.round(elapsed()),
      answers: run.answers,
      actions: run.actions,
      ...growthOf(run.samples),
      lostMessages,
      exitCode,
    };
  } finally {
    running.child.kill('SIGKILL');
    removeFolder(home);
  }
}
