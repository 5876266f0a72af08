/** The user's own sampling presets: pure functions on the list in the settings. */
import { maxPresets } from '../../main/contract/domain.ts';
import type { SamplingOptions, SamplingPreset } from '../../main/contract/domain.ts';

type Presets = readonly SamplingPreset[];

export const sameSampling = (a: SamplingOptions, b: SamplingOptions): boolean =>
  (Object.keys(a) as (keyof SamplingOptions)[]).every((key) => JSON.stringify(a[key]) === JSON.stringify(b[key]));

/** The preset these options are, word for word; null: nobody's. */
export function presetNamed(presets: Presets, sampling: SamplingOptions): string | null {
  return presets.find((preset) => sameSampling(preset.sampling, sampling))?.name ?? null;
}

/** Under a name that is taken, the preset is replaced in its place. */
export function withPreset(presets: Presets, name: string, sampling: SamplingOptions): Presets {
  const preset = { name: name.trim(), sampling };
  if (presets.some((entry) => entry.name === preset.name)) {
    return presets.map((entry) => (entry.name === preset.name ? preset : entry));
  }
  return [...presets, preset].slice(0, maxPresets);
}

/** null: the new name is empty or another preset's. */
export function renamed(presets: Presets, from: string, to: string): Presets | null {
  const name = to.trim();
  if (name === '' || (name !== from && presets.some((preset) => preset.name === name))) return null;
  return presets.map((preset) => (preset.name === from ? { ...preset, name } : preset));
}

export const withoutPreset = (presets: Presets, name: string): Presets =>
  presets.filter((preset) => preset.name !== name);

/** The same options for a program: a request to the local API, as a shell takes it. */
export function curlOf(sampling: SamplingOptions, systemPrompt: string, logprobs: number): string {
  const { temperature, topK, topP, minP, maxNewTokens, seed, stop, promptFormat } = sampling;
  const system = systemPrompt === '' ? [] : [{ role: 'system', content: systemPrompt }];
  const body = {
    messages: [...system, { role: 'user', content: 'Hello' }],
    temperature,
    top_k: topK,
    top_p: topP,
    min_p: minP,
    repetition_penalty: sampling.repetitionPenalty,
    frequency_penalty: sampling.frequencyPenalty,
    presence_penalty: sampling.presencePenalty,
    max_tokens: maxNewTokens,
    ...(seed !== null && { seed }),
    ...(stop.length > 0 && { stop }),
    ...(logprobs > 0 && { logprobs: true, top_logprobs: logprobs }),
    prompt_format: promptFormat,
  };
  // Inside single quotes a shell reads nothing but the single quote itself.
  const quoted = JSON.stringify(body, null, 2).replaceAll("'", `'\\''`);
  return [
    'curl http://127.0.0.1:8080/v1/chat/completions',
    '-H "Authorization: Bearer $NEMOFLASH_API_KEY"',
    "-H 'Content-Type: application/json'",
    `-d '${quoted}'`,
  ].join(' \\\n  ');
}
