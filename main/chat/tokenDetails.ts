/** From sampled tokens to what the token inspector shows. */
import type { TokenDetail } from '../contract/domain.ts';
import type { GeneratedToken, Tokenizer } from '../engine/engineApi.ts';

/** One per token. A character that several tokens spell belongs to the last of them. */
export function tokenDetails(tokens: readonly GeneratedToken[], tokenizer: Tokenizer): readonly TokenDetail[] {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return tokens.map(({ token, logprob, top }) => ({
    text: decoder.decode(tokenizer.bytes(token), { stream: true }),
    logprob,
    top: top.map((other) => ({ ...other, text: tokenizer.decode([other.token]) })),
  }));
}

/** The details up to and including a token that was put in the place of the sampled one. */
export function forced(details: readonly TokenDetail[], index: number, token: number): readonly TokenDetail[] {
  const at = details[index];
  const other = at?.top.find((candidate) => candidate.token === token);
  if (at === undefined || other === undefined) return [];
  return [...details.slice(0, index), { ...at, text: other.text, logprob: other.logprob }];
}
