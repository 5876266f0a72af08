/** What main tells the page unasked. */
import type {
  ApiStatus,
  ChatSummary,
  DownloadStatus,
  EngineStatus,
  InstalledModel,
  Message,
  ModelTask,
  OpenRequest,
  Settings,
  TokenTiming,
  UpdateStatus,
} from './domain.ts';
import type { BenchmarkProgress } from './benchmark.ts';

/** Events go one way, main to page. Each is a noun or a past form. */
export interface Events {
  'engine.status': EngineStatus;
  'updates.status': UpdateStatus;
  'app.open': OpenRequest;
  'models.changed': readonly InstalledModel[];
  'models.progress': DownloadStatus;
  'models.task': ModelTask;
  'settings.changed': Settings;
  'chats.changed': readonly ChatSummary[];
  /** Also while requests are under way, a few times a second. */
  'api.changed': ApiStatus;
  'bench.progress': BenchmarkProgress;
  /** Reading the prompt: tokens consumed of tokens to consume (reused ones are in neither). */
  'chat.prefill': {
    readonly generationId: string;
    readonly chatId: string;
    readonly messageId: string;
    readonly doneTokens: number;
    readonly totalTokens: number;
    readonly reusedTokens: number;
    readonly elapsedNs: number;
  };
  /** Text and timings since the last frame, at most one frame per ~16 ms. */
  'chat.tokens': {
    readonly generationId: string;
    readonly chatId: string;
    readonly messageId: string;
    readonly text: string;
    readonly timings: readonly TokenTiming[];
    /** performance.timeOrigin-based ms when main published it; the page adds its own stamps beside it. */
    readonly sentAt: number;
  };
  /** The answer as it was stored, with stats or with the error. */
  'chat.finished': { readonly generationId: string; readonly message: Message };
}
export type EventName = keyof Events;
