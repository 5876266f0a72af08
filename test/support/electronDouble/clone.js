/**
 * Values as JSON texts, by the rules of structured clone: what it carries is carried, what it refuses is refused.
 * Used in Node and, by its source text, in the page; so each function stands alone and in plain JavaScript.
 * `special` may carry functions and promises, which contextBridge passes and structured clone does not.
 */
export function encode(value, special = {}) {
  const refuse = (what) => {
    throw new Error(`${what} could not be cloned.`);
  };
  const bytes = (view) => Array.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  const above = new Set();
  const nested = (object, make) => {
    if (above.has(object)) refuse('A cycle');
    above.add(object);
    const made = make();
    above.delete(object);
    return made;
  };
  const one = (item) => {
    if (item === null || typeof item === 'boolean' || typeof item === 'string') return item;
    if (item === undefined) return ['undefined'];
    if (typeof item === 'number') return Number.isFinite(item) && !Object.is(item, -0) ? item : ['number', `${item}`];
    if (typeof item === 'bigint') return ['bigint', `${item}`];
    if (typeof item === 'symbol') return refuse('A symbol');
    if (typeof item === 'function')
      return special.functionId ? ['function', special.functionId(item)] : refuse(`${item}`);
    if (item instanceof Promise) return special.promiseId ? ['promise', special.promiseId(item)] : refuse('#<Promise>');
    if (item instanceof Date) return ['date', item.getTime()];
    if (item instanceof Error) return ['error', item.name, item.message];
    if (item instanceof ArrayBuffer) return ['buffer', bytes(new Uint8Array(item))];
    if (ArrayBuffer.isView(item)) return ['view', item.constructor.name, bytes(item)];
    return nested(item, () => {
      if (Array.isArray(item)) return ['array', item.map(one)];
      if (item instanceof Map) return ['map', [...item].map(([key, entry]) => [one(key), one(entry)])];
      if (item instanceof Set) return ['set', [...item].map(one)];
      return ['object', Object.entries(item).map(([key, entry]) => [key, one(entry)])];
    });
  };
  return JSON.stringify(one(value));
}

export function decode(text, special = {}) {
  const views = { Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array };
  const one = (item) => {
    if (!Array.isArray(item)) return item;
    const [tag, first, second] = item;
    switch (tag) {
      case 'undefined':
        return undefined;
      case 'number':
        return Number(first);
      case 'bigint':
        return BigInt(first);
      case 'function':
        return special.functionOf(first);
      case 'promise':
        return special.promiseOf(first);
      case 'date':
        return new Date(first);
      case 'error':
        return Object.assign(new Error(second), { name: first });
      case 'buffer':
        return Uint8Array.from(first).buffer;
      case 'view': {
        const { buffer } = Uint8Array.from(second);
        return first === 'Buffer' ? new Uint8Array(buffer) : new views[first](buffer);
      }
      case 'array':
        return first.map(one);
      case 'map':
        return new Map(first.map(([key, entry]) => [one(key), one(entry)]));
      case 'set':
        return new Set(first.map(one));
      case 'object':
        return Object.fromEntries(first.map(([key, entry]) => [key, one(entry)]));
      default:
        throw new Error(`Not an encoded value: ${tag}`);
    }
  };
  return one(JSON.parse(text));
}
