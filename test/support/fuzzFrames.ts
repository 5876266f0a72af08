/** Requests as nobody should send them: valid ones made from the contract's own schemas, bent one to three times. */
import { z } from 'zod';

import { routes } from '../../main/contract/ipc.ts';
import type { RouteName } from '../../main/contract/ipc.ts';
import type { randomOf } from './random.ts';

type Random = ReturnType<typeof randomOf>;
/** What z.toJSONSchema gives, as far as it is read here. */
interface Shape {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly format?: string;
}

const shapes = Object.entries(routes).map(
  ([name, { request }]) => [name as RouteName, z.toJSONSchema(request, { io: 'input' }) as Shape] as const,
);

const texts = [
  '',
  'x',
  'a/b',
  '../../etc/passwd',
  '\0',
  'ä€😀',
  '\ud800',
  'x'.repeat(5000),
  '<img src=x>',
  '%00',
  '-1',
];
const numbers = [0, -0, 1, -1, 0.5, 7, 1e308, -1e308, Number.MAX_SAFE_INTEGER, 2 ** 53, 255, 65_536];
const names = ['__proto__', 'constructor', 'toString', 'length', 'id', 'route', 'input', 'then', ''];

function pickNumber({ minimum, maximum, type }: Shape, { below, pick }: Random): number {
  if (below(4) === 0) return pick(numbers);
  const low = minimum ?? 0;
  const value = low + ((maximum ?? low + 100) - low) * (below(1000) / 999);
  return type === 'integer' ? Math.round(value) : value;
}

/** A value that fits the schema, except that patterns of texts are not always met. */
function fitting(shape: Shape, random: Random): unknown {
  if (shape.const !== undefined) return shape.const;
  if (shape.enum !== undefined) return random.pick(shape.enum);
  if (shape.anyOf !== undefined) return fitting(random.pick(shape.anyOf), random);
  switch (shape.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(shape.properties ?? {})
          .filter(([key]) => shape.required?.includes(key) === true || random.below(2) === 0)
          .map(([key, part]) => [key, fitting(part, random)]),
      );
    case 'array':
      return Array.from({ length: random.below(4) }, () => fitting(shape.items ?? {}, random));
    case 'string':
      if (shape.format === 'uri') return 'http://127.0.0.1:1/';
      return shape.pattern !== undefined && random.below(2) === 0 ? 'owner/name' : random.pick(texts);
    case 'number':
    case 'integer':
      return pickNumber(shape, random);
    case 'boolean':
      return random.below(2) === 0;
    case 'null':
      return null;
    default:
      return anything(random, 2);
  }
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

export function anything(random: Random, depth = 3): unknown {
  const { below, pick } = random;
  switch (below(depth > 0 ? 9 : 6)) {
    case 0:
      return null;
    case 1:
      return below(2) === 0;
    case 2:
      return pick(numbers);
    case 3:
    case 4:
      return pick(texts);
    case 5:
      return nested(below(3) === 0 ? 400 : 3);
    case 6:
      return Array.from({ length: below(5) }, () => anything(random, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: below(5) }, () => [pick([...names, ...texts]), anything(random, depth - 1)]),
      );
  }
}

/** Changes one place of a value: another value there, one key less, one more. */
export function bend(value: unknown, random: Random): unknown {
  const { below, pick } = random;
  if (Array.isArray(value) && value.length > 0 && below(3) > 0) {
    return value.with(below(value.length), bend(value[below(value.length)], random));
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && below(4) > 0) {
    const entries = Object.entries(value);
    const at = below(entries.length + 1);
    const entry = entries[at];
    if (entry === undefined || below(4) === 0) return { ...value, [pick(names)]: anything(random) };
    if (below(4) === 0) return Object.fromEntries(entries.toSpliced(at, 1));
    return Object.fromEntries(entries.with(at, [entry[0], bend(entry[1], random)]));
  }
  return anything(random);
}

export interface FuzzRequest {
  readonly route: unknown;
  readonly input: unknown;
}

/** A fifth is pure noise, a fifth fits the contract, the rest are fitting ones that were bent. */
export function fuzzRequest(random: Random, only: (route: RouteName) => boolean = () => true): FuzzRequest {
  const kind = random.below(5);
  if (kind === 0) return { route: anything(random), input: anything(random) };
  const [route, shape] = random.pick(shapes.filter(([name]) => only(name)));
  let input = fitting(shape, random);
  for (let times = kind === 1 ? 0 : random.below(3) + 1; times > 0; times -= 1) input = bend(input, random);
  return { route: random.below(40) === 0 ? bend(route, random) : route, input };
}

/** Bytes of a frame after a bad wire or a bad program: some replaced, some lost, some twice. */
export function bendBytes(bytes: Buffer, { below }: Random): Buffer {
  const bent = Buffer.from(bytes);
  for (let times = below(4); times > 0 && bent.length > 0; times -= 1) bent[below(bent.length)] = below(256);
  const cut = below(3) === 0 ? bent.subarray(0, below(bent.length + 1)) : bent;
  return below(6) === 0 ? Buffer.concat([cut, cut.subarray(below(cut.length + 1))]) : cut;
}
