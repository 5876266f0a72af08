/** Connects main's events to the stores, and brings the page up: the only place that knows all stores. */
import type { DownloadStatus, EngineStatus } from '../../main/contract/domain.ts';
import type { Events } from '../../main/contract/ipcEvents.ts';
import { on, onConnection } from '../bridge.ts';
import { setApiStatus } from './api.ts';
import { setBenchProgress } from './bench.ts';
import { flushSaves, newChat, onOpening, openChat, sendPending, useChat } from './chat.ts';
import { isFromElsewhere, reduceFinished, reduceFrames, reducePrefill } from './chatReducers.ts';
import { loadChats, setChats } from './chats.ts';
import { takeEnd, takeFrame } from './completion.ts';
import { loadDevices, loadModel, refreshEngine, setStatus, useEngine } from './engine.ts';
import { frameQueue, pageClock } from './frameQueue.ts';
import { forgetTimings, publishLive, recordFrame, recordPaint, reportPageSeries, tokensShown } from './latency.ts';
import { setTask } from './library.ts';
import { loadModels, setDownload, setInstalled, useModels } from './models.ts';
import { watchStart } from './startMarks.ts';
import { loadSettings, setSettings, updateSettings, useSettings } from './settings.ts';
import { openAsked, useUi } from './ui.ts';

const lastChatKey = 'nemoflash.lastChat';
/** Figures that change faster cannot be read. */
const liveIntervalMs = 1000;

interface ReceivedFrame {
  readonly frame: Events['chat.tokens'];
  readonly receivedAt: number;
}

const wallNow = (): number => performance.timeOrigin + performance.now();

/** Runs after the frame that is being prepared is on its way to the screen. */
function afterPaint(callback: () => void): void {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => {
    channel.port1.close();
    callback();
  };
  channel.port2.postMessage(null);
}

/** A drawing that took longer than half a frame is followed by a frame without one, for scrolling and typing. */
const longDrawingMs = 8;
let drawingMs = 0;

function showFrames(batch: readonly ReceivedFrame[]): void {
  const begunAt = wallNow();
  useChat.setState((state) =>
    reduceFrames(
      state,
      batch.map(({ frame }) => frame),
    ),
  );
  tokensShown();
  afterPaint(() => {
    const paintedAt = wallNow();
    drawingMs = paintedAt - begunAt;
    for (const { frame, receivedAt } of batch) recordPaint(frame.messageId, paintedAt - receivedAt);
  });
}

function connectCompletion(): void {
  on('chat.tokens', takeFrame);
  on('chat.finished', takeEnd);
}

function connectChat(): void {
  const queue = frameQueue<ReceivedFrame>(showFrames, pageClock, () => (drawingMs > longDrawingMs ? 1 : 0));
  onOpening(() => queue.flush());
  let followed = '';
  /** Two windows on one chat: what one of them begins is shown in the other, too. */
  const follow = (frame: { generationId: string; chatId: string; messageId: string }): void => {
    if (frame.generationId === followed || !isFromElsewhere(useChat.getState(), frame)) return;
    followed = frame.generationId;
    void openChat(frame.chatId);
  };
  let publishedAt = 0;
  const publish = (): void => {
    publishedAt = performance.now();
    publishLive(Object.values(useChat.getState().runs).map((run) => run.messageId));
  };
  on('chat.prefill', (progress) => {
    const known = useChat.getState().runs[progress.generationId];
    if ((known?.prefill ?? null) === null) forgetTimings(progress.messageId);
    useChat.setState((state) => reducePrefill(state, progress));
    follow(progress);
  });
  on('chat.tokens', (frame) => {
    if (useChat.getState().ended.includes(frame.generationId)) return;
    const receivedAt = wallNow();
    recordFrame(frame.messageId, frame.timings, receivedAt - frame.sentAt);
    queue.push({ frame, receivedAt });
    follow(frame);
    if (performance.now() - publishedAt >= liveIntervalMs) publish();
  });
  on('chat.finished', (finished) => {
    queue.flush();
    useChat.setState((state) => reduceFinished(state, finished));
    publish();
    // Behind the last frame's own stamp.
    afterPaint(() => void reportPageSeries(finished.message.id));
  });
}

/** A model that the user asked for goes into the engine as soon as it is there, if the engine is free. */
async function loadWhenDone(status: DownloadStatus): Promise<void> {
  if (status.state !== 'done' || useEngine.getState().status?.state !== 'empty') return;
  const installed = await loadModels();
  const model = installed.find((entry) => entry.repo === status.repo && entry.revision === status.revision);
  const found = model ?? installed.find((entry) => entry.repo === status.repo);
  if (found !== undefined) await loadInstalled(found.id);
}

/** Loads with the user's settings, and remembers the choice. */
export async function loadInstalled(source: string): Promise<void> {
  const { device, format, contextPositions } = useSettings.getState().settings;
  const model = await loadModel({ source, device, format, contextPositions });
  const installed = useModels.getState().installed.some((entry) => entry.id === source);
  if (model !== null && installed) await updateSettings({ modelId: source });
}

async function loadAtStart(status: EngineStatus | null): Promise<void> {
  if (status?.state !== 'empty' || status.lastError !== null) return;
  const { settings, info } = useSettings.getState();
  const { installed } = useModels.getState();
  const remembered = installed.find((entry) => entry.id === settings.modelId) ?? installed[0];
  const source = info?.startModel ?? (info?.loadsModel === false ? undefined : remembered?.id);
  if (source !== undefined) await loadInstalled(source);
}

async function openLastChat(): Promise<void> {
  const chats = await loadChats();
  const last = localStorage.getItem(lastChatKey);
  const known = chats.find((chat) => chat.id === last) ?? chats.toSorted((a, b) => b.updatedAt - a.updatedAt)[0];
  if (known === undefined || !(await openChat(known.id))) await newChat();
}

/** Everything the page shows is asked for again: at start and after the connection was lost. */
async function refresh(first: boolean): Promise<void> {
  const open = useChat.getState().open;
  const chat = first || open === null ? openLastChat() : openChat(open.id).then(() => loadChats());
  const [status] = await Promise.all([refreshEngine(), loadSettings(), loadModels(), loadDevices(), chat]);
  const asked = useSettings.getState().info?.startPage ?? null;
  if (first && asked !== null) openAsked(asked);
  if (first) await loadAtStart(status);
}

/** Called once, before the first render; nothing in it delays that. `onStarted`: once the message field can be used. */
export function start(onStarted: () => void): void {
  on('engine.status', (status) => {
    const wasReady = useEngine.getState().status?.state === 'ready';
    setStatus(status);
    if (status.state === 'ready' && !wasReady) void sendPending();
  });
  on('models.changed', setInstalled);
  on('models.progress', (status) => {
    const before = useModels.getState().downloads[status.repo]?.state;
    setDownload(status);
    if (before !== 'done') void loadWhenDone(status);
  });
  on('models.task', setTask);
  on('settings.changed', setSettings);
  on('api.changed', setApiStatus);
  on('app.open', openAsked);
  on('chats.changed', setChats);
  on('bench.progress', setBenchProgress);
  connectChat();
  connectCompletion();
  watchStart(onStarted);

  useChat.subscribe((state, before) => {
    if (state.open === null || state.open.id === before.open?.id) return;
    localStorage.setItem(lastChatKey, state.open.id);
    useUi.setState({ inspectedId: null });
  });
  window.addEventListener('pagehide', flushSaves);

  let first = true;
  onConnection((connection) => {
    useUi.setState({ connection });
    // What was written meanwhile is not known; the chat is asked for again.
    if (connection === 'lost') useChat.setState({ runs: {} });
    if (connection !== 'open') return;
    void refresh(first);
    first = false;
  });
}
