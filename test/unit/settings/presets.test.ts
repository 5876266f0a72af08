import { execFileSync } from 'node:child_process';

import { describe, expect, it } from 'vitest';

import { defaultSampling } from '../../../main/contract/domain.ts';
import { curlOf, presetNamed, renamed, withoutPreset, withPreset } from '../../../renderer/state/presets.ts';

const careful = { ...defaultSampling, temperature: 0.3 };
const wild = { ...defaultSampling, temperature: 1.8, stop: ["it's", '\n\n'] };

describe('sampling presets', () => {
  it('are found by what they say, replaced under their name, and never share one', () => {
    const presets = withPreset(withPreset([], ' Careful ', careful), 'Wild', wild);
    expect(presetNamed(presets, { ...wild, stop: [...wild.stop] })).toBe('Wild');
    expect(presetNamed(presets, defaultSampling)).toBeNull();
    expect(withPreset(presets, 'Careful', wild).map(({ sampling }) => sampling)).toEqual([wild, wild]);
    expect(renamed(presets, 'Careful', 'Wild')).toBeNull();
    expect(renamed(presets, 'Careful', ' ')).toBeNull();
    expect(renamed(presets, 'Careful', 'Calm')?.map(({ name }) => name)).toEqual(['Calm', 'Wild']);
    expect(withoutPreset(presets, 'Wild').map(({ name }) => name)).toEqual(['Careful']);
  });

  it('as curl are read by a shell as they were meant', () => {
    const command = curlOf({ ...wild, seed: 7 }, "Don't $HOME `id`", 3);
    const script = `curl() { for last; do :; done; printf %s "$last"; }\n${command}`;
    const body: unknown = JSON.parse(execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }));
    expect(body).toMatchObject({
      messages: [{ role: 'system', content: "Don't $HOME `id`" }, { role: 'user' }],
      temperature: 1.8,
      seed: 7,
      stop: wild.stop,
      top_logprobs: 3,
      prompt_format: 'model-card',
    });
  });
});
