/** Grammars over the model's own tokens, by XGrammar (arXiv 2411.15100). Only user of @mlc-ai/web-xgrammar. */
import { readFileSync } from 'node:fs';
import { createRequire, Module } from 'node:module';

import type * as XGrammarModule from '@mlc-ai/web-xgrammar';

import { AppError } from '../contract/errors.ts';
import type { TokenConstraint, Tokenizer } from '../engine/engineApi.ts';

type XGrammar = typeof XGrammarModule;

/** A JSON schema; or free text that becomes JSON between the tags once `begin` was written. */
export type GrammarSpec =
  | { readonly kind: 'schema'; readonly schema: object }
  | { readonly kind: 'json' }
  | { readonly kind: 'tagged'; readonly begin: string; readonly end: string; readonly schema: object };

/** What node:module's class has had since its beginning, and its types leave out. */
interface CompilableModule {
  exports: unknown;
  _compile(source: string, file: string): void;
}

/** The package ships a UMD file but calls itself an ES module: only compiling it as CommonJS finds its exports. */
function loadXGrammar(): XGrammar {
  const file = createRequire(import.meta.url).resolve('@mlc-ai/web-xgrammar');
  const module = new Module(file) as unknown as CompilableModule;
  module._compile(readFileSync(file, 'utf8'), file);
  return module.exports as XGrammar;
}

/** GPT-2's reversible spelling of bytes as printable characters, which is how byte-level vocabularies are written. */
function byteSpelling(): readonly string[] {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

function spelledVocabulary(tokenizer: Tokenizer, size: number): string[] {
  const spelling = byteSpelling();
  return Array.from({ length: size }, (_, token) => {
    let text = '';
    for (const byte of tokenizer.bytes(token)) text += spelling[byte];
    return text;
  });
}

/** Compiles grammars for one vocabulary. Made at the first request that needs one. */
export class GrammarFactory {
  readonly #xgrammar: XGrammar;
  readonly #compiler: XGrammarModule.GrammarCompiler;
  readonly #endTokens: number[];
  /** The library ends its own run time on a schema it does not understand; a new factory is needed then. */
  isBroken = false;

  private constructor(xgrammar: XGrammar, compiler: XGrammarModule.GrammarCompiler, endTokens: readonly number[]) {
    this.#xgrammar = xgrammar;
    this.#compiler = compiler;
    this.#endTokens = [...endTokens];
  }

  static async create(tokenizer: Tokenizer, vocabSize: number): Promise<GrammarFactory> {
    const xgrammar = loadXGrammar();
    const info = await xgrammar.TokenizerInfo.createTokenizerInfo(
      spelledVocabulary(tokenizer, vocabSize),
      'byte_level',
      false,
      vocabSize,
      [...tokenizer.endTokens],
    );
    const compiler = await xgrammar.GrammarCompiler.createGrammarCompiler(info, true);
    return new GrammarFactory(xgrammar, compiler, tokenizer.endTokens);
  }

  /** Throws BAD_REQUEST for a schema that is none. */
  async constraint(spec: GrammarSpec): Promise<TokenConstraint> {
    const compiled = await this.#compile(spec).catch((error: unknown) => {
      this.isBroken = true;
      throw new AppError('BAD_REQUEST', 'The JSON schema is none, or uses a keyword that is not supported here.', {
        cause: error,
      });
    });
    const matcher = await this.#xgrammar.GrammarMatcher.createGrammarMatcher(compiled, this.#endTokens);
    return {
      allowed: async () => (matcher.isTerminated() ? null : matcher.getNextTokenBitmask()),
      accept(token) {
        if (!matcher.acceptToken(token)) {
          throw new AppError('INTERNAL', `The engine took token ${token}, which the grammar forbids.`);
        }
      },
      dispose: () => matcher.dispose(),
    };
  }

  async #compile(spec: GrammarSpec): Promise<XGrammarModule.CompiledGrammar> {
    switch (spec.kind) {
      case 'json':
        return this.#compiler.compileBuiltinJSONGrammar();
      case 'schema':
        return this.#compiler.compileJSONSchema(JSON.stringify(spec.schema));
      case 'tagged': {
        const content = { type: 'json_schema', json_schema: spec.schema };
        const tag = { type: 'tag', begin: spec.begin, content, end: spec.end };
        return this.#compiler.compileStructuralTag({
          type: 'structural_tag',
          format: { type: 'triggered_tags', triggers: [spec.begin], tags: [tag] },
        });
      }
    }
  }
}
