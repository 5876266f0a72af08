import { useChat } from '../state/chat.ts';
import { useEngine } from '../state/engine.ts';
import { selectDownload, useModels } from '../state/models.ts';
import { Composer } from './Composer.tsx';
import { DownloadProgress } from './DownloadProgress.tsx';
import { EmptyChat } from './EmptyChat.tsx';
import { LostActions } from './LostActions.tsx';
import { MessageList } from './MessageList.tsx';
import { OnboardingCard } from './OnboardingCard.tsx';
import { Notice } from '../ui/Notice.tsx';

const firstModel = 'nvidia/Nemotron-Flash-3B-Instruct';

/** The conversation, or what stands in its place while there is none, and the message field below it. */
export function ChatView() {
  const empty = useChat((state) => (state.open?.path.length ?? 0) === 0);
  const opened = useChat((state) => state.open !== null);
  const status = useEngine((state) => state.status);
  const nothingInstalled = useModels((state) => state.loaded && state.installed.length === 0);
  const download = useModels(selectDownload);
  const onboarding = nothingInstalled && status?.state === 'empty';
  return (
    <div className="chat">
      {opened && !empty && <MessageList />}
      {empty && (
        <div className="chat-blank scroll">
          {onboarding ? <OnboardingCard repo={firstModel} /> : opened && <EmptyChat />}
        </div>
      )}
      <div className="chat-foot">
        {status?.state === 'lost' && (
          <Notice tone="bad" actions={<LostActions request={status.request} />}>
            {status.error.message}
          </Notice>
        )}
        {download !== null && !(empty && onboarding) && <DownloadProgress status={download} />}
        <Composer />
      </div>
    </div>
  );
}
