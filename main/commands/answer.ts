/** Streams one answer to an output, or prints it whole as JSON with what was measured. */
import process from 'node:process';
import type { Writable } from 'node:stream';

import { decodeTokensPerSecond, prefillTokensPerSecond } from '../contract/domain.ts';
import type { EngineService, GenerateRequest } from '../engine/engineApi.ts';

export async function answer(
  engine: EngineService,
  request: GenerateRequest,
  { json, out }: { readonly json: boolean; readonly out: Writable },
): Promise<void> {
  const onFrame = ({ text }: { readonly text: string }) => {
    if (!json) out.write(text);
  };
  const { text, tokens, stats } = await engine.generate({ ...request, onFrame });
  if (stats.finishReason === 'cancelled') process.exitCode = 130;
  if (json) {
    const ids = tokens.map(({ token }) => token);
    const promptIds = [...request.prompt.tokens];
    out.write(`${JSON.stringify({ text, tokens: ids, prompt_tokens: promptIds, stats })}\n`);
    return;
  }
  out.write('\n');
  const speed = (value: number | null) => (value === null ? 'no' : value.toFixed(1));
  process.stderr.write(
    `${stats.promptTokens} prompt tokens at ${speed(prefillTokensPerSecond(stats))} tokens/s, ` +
      `first token after ${(stats.ttftNs / 1e6).toFixed(0)} ms, ` +
      `${stats.outputTokens} tokens at ${speed(decodeTokensPerSecond(stats))} tokens/s, ` +
      `seed ${stats.seed}, ended by ${stats.finishReason}\n`,
  );
}
