/** The page's bridge, made in the isolated world: three functions and nothing of Electron's. Bundled to one file. */
import { contextBridge, ipcRenderer, webUtils } from 'electron';
import type { IpcRendererEvent } from 'electron';

import type { Bridge } from './contract/ipc.ts';
import type { EventName } from './contract/ipcEvents.ts';
import { eventChannel, requestChannel } from './contract/wire.ts';

type Listener = (payload: never) => void;
const listeners = new Map<EventName, Set<Listener>>();

ipcRenderer.on(eventChannel, (_event: IpcRendererEvent, name: EventName, payload: unknown) => {
  for (const listener of [...(listeners.get(name) ?? [])]) listener(payload as never);
});

const bridge: Bridge = {
  request: (route, input) => ipcRenderer.invoke(requestChannel, route, input),
  on(event, listener) {
    const own = listeners.get(event) ?? new Set<Listener>();
    listeners.set(event, own.add(listener));
    return () => {
      own.delete(listener);
    };
  },
  pathOf: (file) => webUtils.getPathForFile(file),
};

contextBridge.exposeInMainWorld('bridge', bridge);
