import { describe, expect, it, vi } from 'vitest';

import { defaultSampling, defaultSettings, samplingRanges } from '../../../main/contract/domain.ts';
import { AppError } from '../../../main/contract/errors.ts';
import { routerWith } from '../../support/handlers.ts';

describe('router', () => {
  it('hands the parsed request to its handler and envelops the reply', async () => {
    const stop = vi.fn((_input: { readonly generationId: string }) => null);
    const router = routerWith({ 'chat.stop': stop });
    expect(await router.request('chat.stop', { generationId: 'g1' })).toEqual({ ok: true, value: null });
    expect(stop).toHaveBeenCalledExactlyOnceWith({ generationId: 'g1' });
  });

  it.each(['chat.explode', '', 'constructor', '__proto__', 'toString', null, undefined, 7, ['chat.stop'], {}])(
    'refuses the unknown route %j',
    async (route) => {
      const reply = await routerWith({}).request(route, {});
      expect(reply).toMatchObject({ ok: false, error: { code: 'UNKNOWN_ROUTE', retryable: false } });
    },
  );

  it.each([
    ['nothing at all', undefined],
    ['a text', 'g1'],
    ['a missing field', {}],
    ['a wrong type', { generationId: 7 }],
    ['an empty id', { generationId: '' }],
    ['an id without end', { generationId: 'x'.repeat(201) }],
    ['a surplus field', { generationId: 'g1', force: true }],
    ['a value that cannot be compared', { generationId: { toString: 1, length: 1 } }],
  ])('refuses %s before the handler sees it', async (_name, input) => {
    const stop = vi.fn(() => null);
    const reply = await routerWith({ 'chat.stop': stop }).request('chat.stop', input);
    expect(reply).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } });
    expect(stop).not.toHaveBeenCalled();
  });

  it.each([
    ['temperature', samplingRanges.temperature.max + 0.1],
    ['temperature', Number.NaN],
    ['topK', 1.5],
    ['topP', 0],
    ['maxNewTokens', -1],
    ['seed', -1],
  ])('refuses the sampling value %s = %d and names it', async (field, value) => {
    const update = vi.fn(() => defaultSettings);
    const router = routerWith({ 'settings.update': update });
    const reply = await router.request('settings.update', { sampling: { ...defaultSampling, [field]: value } });
    expect(reply).toMatchObject({ ok: false, error: { message: expect.stringContaining(`sampling.${field}`) } });
    expect(update).not.toHaveBeenCalled();
  });

  it('does not repeat what somebody wrote in its refusal', async () => {
    const reply = await routerWith({}).request('chat.send', { content: 'my secret', 'my secret': 1 });
    expect(reply).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } });
    expect(JSON.stringify(reply)).not.toContain('my secret');
  });

  it('passes on the code, the text and the retryability of an AppError', async () => {
    const unload = () => {
      throw new AppError('BUSY', 'Try again.', { retryable: true });
    };
    const reply = await routerWith({ 'engine.unload': unload }).request('engine.unload', {});
    expect(reply).toEqual({ ok: false, error: { code: 'BUSY', message: 'Try again.', retryable: true } });
  });

  it.each([
    ['throws', () => Promise.reject(new TypeError('/home/ada/secret is not a function'))],
    [
      'throws at once',
      () => {
        throw new TypeError('/home/ada/secret is not a function');
      },
    ],
  ])('turns a bug that %s into INTERNAL and tells the cause to the log alone', async (_name, unload) => {
    const log = vi.fn();
    const reply = await routerWith({ 'engine.unload': unload }, log).request('engine.unload', {});
    expect(reply).toMatchObject({ ok: false, error: { code: 'INTERNAL' } });
    expect(JSON.stringify(reply)).not.toContain('secret');
    expect(log).toHaveBeenCalledExactlyOnceWith('engine.unload', expect.any(TypeError));
  });

  it('publishes to all listeners, also past one that throws, and to none that left', () => {
    const log = vi.fn();
    const router = routerWith({}, log);
    const first = vi.fn(() => {
      throw new Error('broken tab');
    });
    const second = vi.fn();
    router.events.subscribe(first);
    const leave = router.events.subscribe(second);
    router.events.publish('settings.changed', defaultSettings);
    leave();
    router.events.publish('settings.changed', defaultSettings);
    expect(first).toHaveBeenCalledTimes(2);
    expect(second).toHaveBeenCalledExactlyOnceWith('settings.changed', defaultSettings);
    expect(log).toHaveBeenCalledTimes(2);
  });
});
