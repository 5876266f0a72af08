import { setDraft } from '../state/chat.ts';
import { useEngine } from '../state/engine.ts';
import { lastMeasuredSpeed } from '../state/latency.ts';
import { focusComposer, showPage } from '../state/ui.ts';
import { rateText } from '../format.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { Notice } from '../ui/Notice.tsx';
import { Progress } from '../ui/Progress.tsx';

/** The model's name, what it runs on, its measured speed here, three examples. Nothing else. */
export function EmptyChat() {
  const status = useEngine((state) => state.status);
  const error = useEngine((state) => state.error);
  const measured = lastMeasuredSpeed();
  return (
    <div className="empty">
      {status?.state === 'ready' && (
        <>
          <h2 className="empty-name">{status.model.name}</h2>
          <p className="soft">
            {status.model.deviceName} · {status.model.format} ·{' '}
            {measured === null ? strings.empty.notMeasured : strings.empty.measured(rateText(measured))}
          </p>
          {status.model.synthetic && <p className="empty-synthetic">{strings.model.synthetic}</p>}
        </>
      )}
      {status?.state === 'loading' && (
        <>
          <h2 className="empty-name">{strings.model.loadPhases[status.phase]}</h2>
          <Progress
            label={strings.model.loadPhases[status.phase]}
            share={status.totalBytes > 0 ? status.doneBytes / status.totalBytes : null}
          />
          <p className="soft">{strings.empty.loading}</p>
        </>
      )}
      {status?.state === 'empty' && (
        <>
          <h2 className="empty-name">{strings.empty.choose}</h2>
          {(error ?? status.lastError) !== null && <Notice tone="bad">{(error ?? status.lastError)?.message}</Notice>}
          <Button look="primary" onClick={() => showPage('models')}>
            {strings.chat.loadModel}
          </Button>
        </>
      )}
      <ul role="list" className="examples" aria-label={strings.empty.examplesLabel}>
        {strings.empty.examples.map((example) => (
          <li key={example}>
            <button
              type="button"
              className="example"
              onClick={() => {
                setDraft(example);
                focusComposer();
              }}
            >
              {example}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
