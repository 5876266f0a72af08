/**
 * Worker thread: grammars over the model's own tokens, by XGrammar (arXiv 2411.15100); only user of
 * @mlc-ai/web-xgrammar. A thread of its own, because taking in a vocabulary and compiling a schema each hold a thread up
 * for a good part of a second, in which streams would stand still.
 */
import { readFileSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

import type * as XGrammarModule from '@mlc-ai/web-xgrammar';

import type { GrammarReply, GrammarRequest, GrammarSpec, Vocabulary } from './grammar.ts';

type XGrammar = typeof XGrammarModule;

/** What node:module's class has had since its beginning, and its types leave out. */
interface CompilableModule {
  exports: unknown;
  _compile(source: string, file: string): void;
}

/**
 * A run time of its own for every call. The package ships a UMD file but calls itself an ES module: only compiling it as
 * CommonJS finds its exports.
 */
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

function spelled({ bytes, ends }: Vocabulary): string[] {
  const spelling = byteSpelling();
  let at = 0;
  return Array.from(ends, (end) => {
    let text = '';
    for (; at < end; at += 1) text += spelling[bytes[at] ?? 0];
    return text;
  });
}

/**
 * No whitespace of the model's own choice, and no line breaks (-1): JSON as it is written most. No model gets lost in
 * whitespace, and more of the text is certain beforehand.
 */
const oneLine = [false, -1] as const;

class Grammars {
  readonly #xgrammar = loadXGrammar();
  readonly #endTokens: number[];
  readonly #compiler: Promise<XGrammarModule.GrammarCompiler>;
  readonly #matchers = new Map<number, XGrammarModule.GrammarMatcher>();
  // Ends its run time on a schema it does not understand; that must not be the one that answers are held by.
  #checker = loadXGrammar();

  constructor(vocabulary: Vocabulary) {
    this.#endTokens = [...vocabulary.endTokens];
    this.#compiler = this.#takeIn(vocabulary);
  }

  async open(id: number, spec: GrammarSpec): Promise<void> {
    const compiled = await this.#compile(spec);
    const matcher = await this.#xgrammar.GrammarMatcher.createGrammarMatcher(compiled, this.#endTokens);
    compiled.dispose(); // the matcher holds what it needs
    this.#matchers.set(id, matcher);
  }

  async next(id: number, taken: readonly number[], mayJump: boolean): Promise<Pick<GrammarReply, 'jump' | 'allowed'>> {
    const matcher = this.#matchers.get(id);
    if (matcher === undefined) throw new Error('this grammar is not open');
    for (const token of taken) {
      if (!matcher.acceptToken(token)) throw new Error(`the engine took token ${token}, which the grammar forbids`);
    }
    if (matcher.isTerminated()) return { jump: '', allowed: null };
    const jump = mayJump ? matcher.findJumpForwardString() : '';
    // One character is no more than a step would find.
    return jump.length > 1
      ? { jump, allowed: null }
      : { jump: '', allowed: new Int32Array(await matcher.getNextTokenBitmask()) };
  }

  close(id: number): void {
    this.#matchers.get(id)?.dispose();
    this.#matchers.delete(id);
  }

  async #takeIn(vocabulary: Vocabulary): Promise<XGrammarModule.GrammarCompiler> {
    const words = spelled(vocabulary);
    const { TokenizerInfo, GrammarCompiler } = this.#xgrammar;
    const info = await TokenizerInfo.createTokenizerInfo(words, 'byte_level', false, words.length, this.#endTokens);
    return GrammarCompiler.createGrammarCompiler(info, true);
  }

  async #check(schema: string): Promise<void> {
    try {
      await this.#checker.Testings._jsonSchemaToEBNF(schema, ...oneLine);
    } catch (error) {
      this.#checker = loadXGrammar();
      throw new SchemaError('The JSON schema is none, or uses a keyword that is not supported here.', { cause: error });
    }
  }

  /** Throws a sentence for people when the schema is none, or none that anything satisfies. */
  async #compile(spec: GrammarSpec): Promise<XGrammarModule.CompiledGrammar> {
    try {
      return await this.#compiled(spec);
    } catch (error) {
      if (error instanceof SchemaError || spec.kind === 'json') throw error;
      throw new SchemaError('The JSON schema cannot be followed: perhaps nothing satisfies it.', { cause: error });
    }
  }

  async #compiled(spec: GrammarSpec): Promise<XGrammarModule.CompiledGrammar> {
    const compiler = await this.#compiler;
    if (spec.kind === 'json') {
      // strictMode off: any members, though none is named.
      return compiler.compileJSONSchema('{"type":"object"}', ...oneLine, undefined, false);
    }
    const schema = JSON.stringify(spec.schema);
    await this.#check(schema);
    if (spec.kind === 'schema') return compiler.compileJSONSchema(schema, ...oneLine);
    const grammar = await this.#xgrammar.Grammar.fromJSONSchema(schema, ...oneLine);
    const content = { type: 'grammar', grammar: grammar.toString() };
    grammar.dispose();
    const tag = { type: 'tag', begin: spec.begin, content, end: spec.end };
    return compiler.compileStructuralTag({
      type: 'structural_tag',
      format: { type: 'triggered_tags', triggers: [spec.begin], tags: [tag] },
    });
  }
}

class SchemaError extends Error {}

async function answer(grammars: Grammars, request: GrammarRequest): Promise<void> {
  const { id, matcher } = request;
  const reply = (fields: Partial<GrammarReply>, transfer: ArrayBuffer[] = []) =>
    parentPort?.postMessage({ id, jump: '', allowed: null, failure: null, ...fields }, transfer);
  try {
    switch (request.kind) {
      case 'open':
        await grammars.open(matcher, request.spec);
        return reply({});
      case 'next': {
        const next = await grammars.next(matcher, request.taken, request.mayJump);
        return reply(next, next.allowed === null ? [] : [next.allowed.buffer]);
      }
      case 'close':
        return grammars.close(matcher);
    }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    reply({ failure: { text, isSchema: error instanceof SchemaError } });
  }
}

const grammars = new Grammars(workerData as Vocabulary);
// One after another: what is asked of a matcher depends on what was said to it before.
let turn: Promise<void> = Promise.resolve();
parentPort?.on('message', (request: GrammarRequest) => {
  turn = turn.then(async () => answer(grammars, request));
});
