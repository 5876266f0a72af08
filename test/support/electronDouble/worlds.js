/**
 * What the double puts into the page, as source text: the isolated world with the preload script in it, and contextBridge's
 * other end in the page's own world. The two share a document and no object, so they talk by events whose names only they
 * know, and values cross as texts.
 */

/** One end of contextBridge. A function becomes a number here and a function that calls back over there. */
export function createPeer(encode, decode, inbound, outbound, onExpose) {
  const functions = new Map();
  const pending = new Map();
  let lastId = 0;
  let reply = null;
  const post = (message) => window.dispatchEvent(new CustomEvent(outbound, { detail: JSON.stringify(message) }));

  const special = {
    functionId(own) {
      functions.set((lastId += 1), own);
      return lastId;
    },
    promiseId(own) {
      const id = (lastId += 1);
      own.then(
        (value) => post({ settle: id, value: encode(value, special) }),
        (error) => post({ settle: id, error: error?.message ?? String(error) }),
      );
      return id;
    },
    functionOf:
      (id) =>
      (...args) => {
        post({ call: id, args: encode(args, special) });
        const { value, error } = reply;
        if (error !== undefined) throw new Error(error);
        return decode(value, special);
      },
    promiseOf: (id) => new Promise((resolve, reject) => pending.set(id, { resolve, reject })),
  };

  window.addEventListener(inbound, ({ detail }) => {
    const message = JSON.parse(detail);
    if (message.call !== undefined) {
      let answer;
      try {
        const result = functions.get(message.call)(...decode(message.args, special));
        answer = { value: encode(result, special) };
      } catch (error) {
        answer = { error: error.message };
      }
      post({ reply: answer });
    } else if (message.reply !== undefined) {
      reply = message.reply;
    } else if (message.settle !== undefined) {
      const { resolve, reject } = pending.get(message.settle);
      pending.delete(message.settle);
      if (message.error === undefined) resolve(decode(message.value, special));
      else reject(new Error(message.error));
    } else {
      onExpose(message, (text) => decode(text, special));
    }
  });
  return { post, encode: (value) => encode(value, special) };
}

/** Runs the preload script as Electron does in a sandbox: in the main frame only, with `electron` and little else. */
export function isolatedWorld(encode, decode, createPeer, names, preload) {
  if (window.top !== window) return;
  const exposed = [];
  const peer = createPeer(encode, decode, names.toIsolated, names.toPage, () => exposed.forEach(announce));
  const announce = ([key, api]) => peer.post({ expose: key, api: peer.encode(api) });

  const native = globalThis[names.binding];
  const listeners = new Map();
  const pending = new Map();
  let lastId = 0;
  globalThis[names.deliver] = (text) => {
    const { id, error, channel, value } = decode(text);
    if (channel !== undefined) {
      for (const listener of [...(listeners.get(channel) ?? [])]) listener({ sender: ipcRenderer }, ...value);
      return;
    }
    const { resolve, reject } = pending.get(id);
    pending.delete(id);
    if (error === undefined) resolve(value);
    else reject(new Error(error));
  };
  const ipcRenderer = {
    async invoke(channel, ...args) {
      const id = (lastId += 1);
      const text = encode({ id, channel, args });
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve, reject });
        native(text);
      });
    },
    on(channel, listener) {
      listeners.set(channel, [...(listeners.get(channel) ?? []), listener]);
      return ipcRenderer;
    },
  };
  const contextBridge = {
    exposeInMainWorld(key, api) {
      if (exposed.some(([other]) => other === key)) throw new Error(`Cannot bind an API on top of '${key}'.`);
      exposed.push([key, api]);
      announce([key, api]);
    },
  };
  // Files do not cross between the worlds here: a name stands for where it lies.
  const webUtils = { getPathForFile: (file) => `/dropped/${file.name}` };
  const require = (name) => {
    if (name === 'electron') return { contextBridge, ipcRenderer, webUtils };
    throw new Error(`module not found: ${name}`);
  };
  const module = { exports: {} };
  preload(require, module, module.exports);
}

/** The page's own world gets frozen copies, under the names that the preload script chose. */
export function pageWorld(encode, decode, createPeer, names) {
  if (window.top !== window) return;
  const deepFreeze = (value) => {
    if (typeof value !== 'object' || value === null) return value;
    Object.values(value).forEach(deepFreeze);
    return Object.freeze(value);
  };
  const peer = createPeer(encode, decode, names.toPage, names.toIsolated, ({ expose, api }, read) => {
    if (Object.hasOwn(window, expose)) return;
    Object.defineProperty(window, expose, { value: deepFreeze(read(api)), enumerable: true });
  });
  peer.post({ hello: true });
}
